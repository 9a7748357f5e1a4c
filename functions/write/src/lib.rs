//! Drain a lane: perform changes exactly as planned, journaled step by step.

//! Decide slices of people from the store alone; own phases, gate, timers and report.

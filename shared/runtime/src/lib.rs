//! Environment names, tracing, the batch runner and the real clock.

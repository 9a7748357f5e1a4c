//! Histories of days and weeks, which follow from how the service behaves.

//! What is written, and what is known to be refused before anything is.

//! The traits between the functions and the world, and what travels between them.

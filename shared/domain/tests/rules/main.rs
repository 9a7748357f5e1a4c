//! The rules as tables: a small world, one person, one line for what is decided. And laws that hold in every world.

mod world;

mod entitling;
mod joining;
mod knowing;
mod laws;
mod leaving;
mod loading;
mod privileged;
mod refused;
mod resembling;
mod restoring;
mod rivals;
mod write_back;
mod writing;

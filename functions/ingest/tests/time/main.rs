//! A function's time ends long before a large directory is read. However a reading is cut, and wherever it is killed, the
//! table holds the same in the end, and little is read twice.

#![cfg(test)]

mod entering;
mod fixture;
mod groups;
mod people;
mod users;

#![doc = include_str!("../README.md")]

pub mod blobs;
pub mod doorbell;
pub mod table;

pub use blobs::FolderBlobs;
pub use doorbell::ProcessDoorbell;
pub use table::{FileTable, Missing, Options};

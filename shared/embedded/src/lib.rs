#![doc = include_str!("../README.md")]

pub mod blobs;
pub mod doorbell;
pub mod process;
pub mod table;

pub use blobs::FolderBlobs;
pub use doorbell::ProcessDoorbell;
pub use process::{Holder, Lock, ProcessLock, open_to_others};
pub use table::{FileTable, Missing, TableOptions};

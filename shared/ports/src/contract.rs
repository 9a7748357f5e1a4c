//! What every implementation of a port has to keep, as tests that an adapter's own tests call. Each function asks for a
//! fresh, empty implementation as often as it needs one, and fails by assertion.

mod blobs;
mod doorbell;
mod source;
mod table;

pub use blobs::blobs_contract;
pub use doorbell::{SetClock, doorbell_contract};
pub use source::{TestDirectory, people, source_contract};
pub use table::{table_contract, table_read_units_contract};

//! Exports and histories that went wrong elsewhere, played from the first plan to a night that writes nothing. What
//! counts is what the tenant holds afterwards and what the run tells; how it words it does not.

mod cures;
mod cures_of_two;
mod files;
mod histories;
mod later_cures;
mod people;
mod shapes;
mod texts;
mod writing;

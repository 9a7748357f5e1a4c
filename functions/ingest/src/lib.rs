//! Observe: people of the source and accounts of the tenant, into the store.

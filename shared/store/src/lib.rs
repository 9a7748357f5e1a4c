//! Item kinds, keys and access patterns over the Table port.

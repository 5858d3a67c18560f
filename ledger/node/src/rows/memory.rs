//! Rows in memory.

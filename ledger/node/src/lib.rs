//! One replica: openraft, RocksDB and tonic around the core.

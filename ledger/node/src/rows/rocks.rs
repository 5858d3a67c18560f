//! Rows in RocksDB, opened so that damage is refused and never rolled back; it never repairs.
use std::{io, path::Path};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, Direction,
    IteratorMode, Options, ReadOptions, WriteBatch, WriteOptions, checkpoint::Checkpoint,
};

use super::{Batch, Change, Kind};

/// An open database.
#[derive(Debug)]
pub(crate) struct Rows {
    db: DB,
    kind: Kind,
}

impl Rows {
    /// Opens or creates the database in `folder`.
    ///
    /// # Errors
    /// When it is damaged or cannot be read or written.
    pub(crate) fn open(folder: &Path, kind: Kind) -> io::Result<Self> {
        let tables = kind.tables().iter();
        let tables = tables.map(|name| ColumnFamilyDescriptor::new(*name, table(name)));
        let db = DB::open_cf_descriptors(&options(kind), folder, tables);
        Ok(Self { db: db.map_err(io::Error::other)?, kind })
    }

    /// Opens the database in `folder` without changing it.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub(crate) fn open_read_only(folder: &Path, kind: Kind) -> io::Result<Self> {
        let mut options = Options::default();
        options.set_paranoid_checks(true);
        let db = DB::open_cf_for_read_only(&options, folder, kind.tables(), false);
        Ok(Self { db: db.map_err(io::Error::other)?, kind })
    }

    /// One row.
    pub(crate) fn get(&self, table: &'static str, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        self.db.get_cf_opt(self.table(table), key, &reading()).map_err(io::Error::other)
    }

    /// Several rows, in the order of their keys.
    pub(crate) fn many(
        &self,
        table: &'static str,
        keys: &[Vec<u8>],
    ) -> io::Result<Vec<Option<Vec<u8>>>> {
        let found = self.db.batched_multi_get_cf_opt(self.table(table), keys, false, &reading());
        let rows = found.into_iter().map(|row| row.map(|row| row.map(|row| row.to_vec())));
        rows.collect::<Result<_, _>>().map_err(io::Error::other)
    }

    /// Gives rows from `from` on, in the order of their keys, while `take` says to go on.
    pub(crate) fn scan(
        &self,
        table: &'static str,
        from: &[u8],
        mut take: impl FnMut(&[u8], &[u8]) -> io::Result<bool>,
    ) -> io::Result<()> {
        let start = IteratorMode::From(from, Direction::Forward);
        for row in self.db.iterator_cf_opt(self.table(table), reading(), start) {
            let (key, row) = row.map_err(io::Error::other)?;
            if !take(&key, &row)? {
                break;
            }
        }
        Ok(())
    }

    /// Writes all changes or none; what is not `synced` here is durable with the next that is, or
    /// with the next flush of a state.
    pub(crate) fn write(&self, batch: &Batch, synced: bool) -> io::Result<()> {
        let mut rows = WriteBatch::default();
        for (table, change) in batch.changes() {
            let table = self.table(table);
            match change {
                Change::Put { key, row } => rows.put_cf(table, key, row),
                Change::Remove { key } => rows.delete_cf(table, key),
                Change::RemoveRange { from, end } => rows.delete_range_cf(table, from, end),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(synced);
        options.disable_wal(self.kind == Kind::State);
        self.db.write_opt(rows, &options).map_err(io::Error::other)
    }

    /// Makes everything written durable.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let tables: Vec<_> = self.kind.tables().iter().map(|name| self.table(name)).collect();
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(true);
        self.db.flush_cfs_opt(&tables, &options).map_err(io::Error::other)
    }

    /// Flushes everything and links the files into a new folder.
    pub(crate) fn checkpoint(&self, folder: &Path) -> io::Result<()> {
        let checkpoint = Checkpoint::new(&self.db).map_err(io::Error::other)?;
        checkpoint.create_checkpoint(folder).map_err(io::Error::other)
    }

    fn table(&self, name: &'static str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("opened with every table of its kind")
    }
}

fn options(kind: Kind) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(4);
    match kind {
        Kind::Log => {
            // Tolerates a torn last write, which was never acknowledged; anything else damaged is
            // refused.
            options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
            options.set_track_and_verify_wals_in_manifest(true);
            options.set_write_buffer_size(64 << 20);
        }
        Kind::State => {
            options.set_atomic_flush(true);
            options.set_bytes_per_sync(1 << 20);
        }
    }
    options
}

fn table(name: &str) -> Options {
    let mut options = Options::default();
    match name {
        "rows" => {
            options.set_compression_type(rocksdb::DBCompressionType::Lz4);
            // Most reads ask for a row that is not there: a new transfer's.
            let mut table = BlockBasedOptions::default();
            table.set_bloom_filter(10.0, false);
            table.set_block_cache(&Cache::new_lru_cache(128 << 20));
            table.set_optimize_filters_for_memory(true);
            options.set_block_based_table_factory(&table);
            options.set_memtable_whole_key_filtering(true);
            options.set_memtable_prefix_bloom_ratio(0.05);
            options.set_write_buffer_size(96 << 20);
        }
        "blobs" | "meta" => options.set_compression_type(rocksdb::DBCompressionType::Lz4),
        _ => options.set_write_buffer_size(64 << 20),
    }
    options
}

fn reading() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options
}

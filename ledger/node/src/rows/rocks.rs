//! Rows in RocksDB, opened so that damage is refused and never rolled back; it never repairs.
use std::{io, path::Path};

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRecoveryMode, Direction,
    IteratorMode, Options, ReadOptions, WriteBatch, WriteBufferManager, WriteOptions,
    checkpoint::Checkpoint,
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
        let memory = Memory::of(kind);
        let tables = kind.tables().iter();
        let tables = tables.map(|name| ColumnFamilyDescriptor::new(*name, table(name, &memory)));
        let mut options = options(kind);
        options.set_write_buffer_manager(&memory.written);
        let db = DB::open_cf_descriptors(&options, folder, tables);
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
        for (table, change) in self.ordered(batch) {
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

    /// A cut changes thousands of rows, each once: in the order of their keys each lies near the
    /// one before, and its place in memory is found sooner. A log's stay in their own order.
    fn ordered<'a>(&self, batch: &'a Batch) -> Vec<(&'static str, Change<'a>)> {
        let mut changes: Vec<_> = batch.changes().collect();
        if self.kind == Kind::State {
            changes.sort_by_key(|(table, change)| match change {
                Change::Put { key, .. } | Change::Remove { key } => (*table, *key),
                Change::RemoveRange { from, .. } => (*table, *from),
            });
        }
        changes
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
        }
        Kind::State => {
            options.set_atomic_flush(true);
            options.set_bytes_per_sync(1 << 20);
        }
    }
    options
}

/// One bound on the memory of a database: blocks read, their indexes and filters, and rows not yet
/// flushed share it.
struct Memory {
    cache: Cache,
    written: WriteBufferManager,
}

impl Memory {
    fn of(kind: Kind) -> Self {
        let (all, written) = match kind {
            // What was appended lately is read from memory by the log itself.
            Kind::Log => (48 << 20, 32 << 20),
            Kind::State => (192 << 20, 96 << 20),
        };
        let cache = Cache::new_lru_cache(all);
        // Never stalls a writer: it flushes sooner.
        let written =
            WriteBufferManager::new_write_buffer_manager_with_cache(written, false, cache.clone());
        Self { cache, written }
    }
}

fn table(name: &str, memory: &Memory) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&memory.cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    if name == "rows" {
        // Most reads ask for a row that is not there: a new transfer's.
        blocks.set_bloom_filter(10.0, false);
        blocks.set_optimize_filters_for_memory(true);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.05);
    }
    if matches!(name, "rows" | "blobs" | "meta") {
        options.set_compression_type(rocksdb::DBCompressionType::Lz4);
    }
    options.set_block_based_table_factory(&blocks);
    options
}

fn reading() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options
}

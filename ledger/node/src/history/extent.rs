//! How much of history's files belongs to a position: what a copy takes of files that go on growing; it reads no file.
use super::{INDEX_ROW, Position, segment_name};

/// How many of a file's `length` bytes lie before `position`.
pub(crate) fn extent(name: &str, length: u64, position: &Position) -> u64 {
    let last = |suffix| name == segment_name(position.segment, suffix);
    let first = name.split_once('.').and_then(|(first, _)| first.parse::<u64>().ok());
    if last("seg") {
        position.length
    } else if last("idx") {
        (position.records - position.segment) * INDEX_ROW
    } else if !name.contains('/') && first.is_some_and(|first| first > position.segment) {
        0
    } else {
        length
    }
}

//! Apache Parquet: one row group, every column optional, amounts exact. It must never write a number that is rounded, nor
//! a version of its own.

use std::sync::Arc;

use ::parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use ::parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;
use time::Date;

use crate::error::Error;
use crate::table::{Cell, Column, Holds, Table};
use crate::write::Head;

/// Decimals of every amount: the most that a currency may have in schema `ledger`. One scale for all files lets them be
/// read as one table.
const SCALE: u32 = 8;
const PRECISION: i32 = 38;
/// Bytes of a decimal of so many digits.
const WIDTH: i32 = 16;
/// Decimals of a share, and the digits of 64 bits.
const SHARE: (i32, i32) = (6, 18);

fn failed(error: &ParquetError) -> Error {
    Error::Format { format: "parquet", reason: error.to_string() }
}

pub(super) fn write(table: &Table, head: &Head<'_>) -> Result<Vec<u8>, Error> {
    let failed = |error: ParquetError| failed(&error);
    let properties = WriterProperties::builder()
        // A library's version would make the same rows another file.
        .set_created_by("causeway".to_owned())
        .set_key_value_metadata(Some(said(head)))
        .build();
    let mut out = Vec::new();
    let mut file =
        SerializedFileWriter::new(&mut out, schema(table).map_err(failed)?, Arc::new(properties))
            .map_err(failed)?;
    let mut rows = file.next_row_group().map_err(failed)?;
    for (at, column) in table.columns.iter().enumerate() {
        let mut writer = rows
            .next_column()
            .map_err(failed)?
            .ok_or_else(|| failed(ParquetError::General("a column is missing".to_owned())))?;
        put(&mut writer, *column, table.rows.iter().filter_map(|row| row.get(at)))?;
        writer.close().map_err(failed)?;
    }
    rows.close().map_err(failed)?;
    file.close().map_err(failed)?;
    Ok(out)
}

fn said(head: &Head<'_>) -> Vec<KeyValue> {
    let position = head.position;
    let own = [
        ("report", head.title.to_owned()),
        ("network", hex::encode(position.network)),
        ("records", position.records.to_string()),
        ("root", position.root_shown()),
        ("acts", position.acts.to_string()),
    ];
    let own = own.into_iter().chain(head.asked.iter().cloned());
    own.map(|(name, value)| KeyValue::new(format!("causeway.{name}"), value)).collect()
}

fn schema(table: &Table) -> Result<Arc<Type>, ParquetError> {
    let fields = table.columns.iter().map(|column| field(*column).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("report").with_fields(fields).build().map(Arc::new)
}

fn field(Column { name, holds }: Column) -> Result<Type, ParquetError> {
    let own = |physical, logical| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(logical))
    };
    let scale = i32::try_from(SCALE).unwrap_or_default();
    match holds {
        Holds::Text => own(Physical::BYTE_ARRAY, LogicalType::String).build(),
        Holds::Day => own(Physical::INT32, LogicalType::Date).build(),
        Holds::Count => own(Physical::INT64, LogicalType::integer(64, true)).build(),
        Holds::Time => own(Physical::INT64, LogicalType::timestamp(true, TimeUnit::MICROS)).build(),
        Holds::Share => own(Physical::INT64, LogicalType::decimal(SHARE.0, SHARE.1))
            .with_scale(SHARE.0)
            .with_precision(SHARE.1)
            .build(),
        Holds::Amount => {
            own(Physical::FIXED_LEN_BYTE_ARRAY, LogicalType::decimal(scale, PRECISION))
                .with_length(WIDTH)
                .with_scale(scale)
                .with_precision(PRECISION)
                .build()
        }
    }
}

/// The values of a column, and for each row whether it has one.
fn put<'a>(
    writer: &mut SerializedColumnWriter<'_>,
    column: Column,
    cells: impl Iterator<Item = &'a Cell>,
) -> Result<(), Error> {
    let (mut levels, mut held) = (Vec::new(), Vec::new());
    for cell in cells {
        levels.push(i16::from(*cell != Cell::Empty));
        held.extend((*cell != Cell::Empty).then_some(cell));
    }
    let wrong = || Error::Format {
        format: "parquet",
        reason: format!("{}: a value does not fit its column", column.name),
    };
    let each = |cell: &&Cell| long(cell).ok_or_else(wrong);
    let levels = Some(levels.as_slice());
    let written = match column.holds {
        Holds::Text => {
            let values: Vec<ByteArray> =
                held.iter().map(|cell| ByteArray::from(cell.shown().into_bytes())).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, levels, None)
        }
        Holds::Day => {
            let day = |cell: &&Cell| day(cell).ok_or_else(wrong);
            let values = held.iter().map(day).collect::<Result<Vec<_>, _>>()?;
            writer.typed::<Int32Type>().write_batch(&values, levels, None)
        }
        Holds::Count | Holds::Share | Holds::Time => {
            let values = held.iter().map(each).collect::<Result<Vec<_>, _>>()?;
            writer.typed::<Int64Type>().write_batch(&values, levels, None)
        }
        Holds::Amount => {
            let decimal = |cell: &&Cell| decimal(cell).ok_or_else(wrong);
            let values = held.iter().map(decimal).collect::<Result<Vec<_>, _>>()?;
            writer.typed::<FixedLenByteArrayType>().write_batch(&values, levels, None)
        }
    };
    written.map(|_| ()).map_err(|error| failed(&error))
}

/// Days since 1970.
fn day(cell: &Cell) -> Option<i32> {
    const EPOCH: i32 = 2_440_588;
    match cell {
        Cell::Day(day) => Some(Date::to_julian_day(*day) - EPOCH),
        Cell::Empty
        | Cell::Text(_)
        | Cell::Count(_)
        | Cell::Amount { .. }
        | Cell::Share(_)
        | Cell::Time(_) => None,
    }
}

const fn long(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Count(value) | Cell::Share(value) | Cell::Time(value) => Some(*value),
        Cell::Empty | Cell::Text(_) | Cell::Day(_) | Cell::Amount { .. } => None,
    }
}

/// An amount in units of the one scale, big-endian; none where it has more digits than a decimal of the format.
fn decimal(cell: &Cell) -> Option<FixedLenByteArray> {
    let Cell::Amount { units, decimals } = cell else { return None };
    let places = SCALE.checked_sub(*decimals)?;
    let scaled = units.checked_mul(10_i128.checked_pow(places)?)?;
    let most = 10_u128.pow(PRECISION.unsigned_abs());
    (scaled.unsigned_abs() < most)
        .then(|| ByteArray::from(scaled.to_be_bytes().to_vec()))
        .map(FixedLenByteArray::from)
}

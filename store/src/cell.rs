//! From the value in a column to the domain's type. What does not fit was not written by a store.

use serde_json::from_str;
use uuid::Uuid;

use crate::{Result, StoreError};

/// Where a value stands; says so when the value cannot be read. Each method's error is
/// [`StoreError::Inconsistent`].
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
}

impl Cell {
    /// So many bytes.
    ///
    /// # Errors
    /// It has another length.
    pub fn bytes<const LEN: usize>(self, value: &[u8]) -> Result<[u8; LEN]> {
        value
            .try_into()
            .map_err(|_| self.inconsistent(format!("{} bytes in place of {LEN}", value.len())))
    }

    /// An id of 16 bytes.
    ///
    /// # Errors
    /// It has another length.
    pub fn uuid(self, value: &[u8]) -> Result<Uuid> {
        self.bytes(value).map(Uuid::from_bytes)
    }

    /// A number of a narrower type.
    ///
    /// # Errors
    /// It is out of that type's range.
    pub fn number<T: TryFrom<i64>>(self, value: i64) -> Result<T> {
        T::try_from(value).map_err(|_| self.inconsistent(format!("{value} is out of range")))
    }

    /// 0 or 1.
    ///
    /// # Errors
    /// It is another number.
    pub fn flag(self, value: i64) -> Result<bool> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.inconsistent(format!("{value} is neither 0 nor 1"))),
        }
    }

    /// What a text of JSON says.
    ///
    /// # Errors
    /// It is no JSON, or says something else.
    pub fn json<T: serde::de::DeserializeOwned>(self, value: &str) -> Result<T> {
        from_str(value).map_err(|error| self.inconsistent(error.to_string()))
    }

    /// The error for a value that cannot be read.
    pub fn inconsistent(self, detail: String) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column: self.column,
            detail,
        }
    }
}

//! From the value in a column to the domain's type. What does not fit was not written by this store.

use assent_store::{Result, StoreError};
use serde_json::from_str;
use uuid::Uuid;

/// Where a value stands; says so when the value cannot be read.
#[derive(Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
}

impl Cell {
    pub(crate) fn bytes<const LEN: usize>(self, value: &[u8]) -> Result<[u8; LEN]> {
        value
            .try_into()
            .map_err(|_| self.inconsistent(format!("{} bytes in place of {LEN}", value.len())))
    }

    pub(crate) fn uuid(self, value: &[u8]) -> Result<Uuid> {
        self.bytes(value).map(Uuid::from_bytes)
    }

    pub(crate) fn number<T: TryFrom<i64>>(self, value: i64) -> Result<T> {
        T::try_from(value).map_err(|_| self.inconsistent(format!("{value} is out of range")))
    }

    pub(crate) fn flag(self, value: i64) -> Result<bool> {
        match value {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.inconsistent(format!("{value} is neither 0 nor 1"))),
        }
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(self, value: &str) -> Result<T> {
        from_str(value).map_err(|error| self.inconsistent(error.to_string()))
    }

    pub(crate) fn inconsistent(self, detail: String) -> StoreError {
        StoreError::Inconsistent {
            table: self.table,
            column: self.column,
            detail,
        }
    }
}

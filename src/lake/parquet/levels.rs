//! Which rows of a column are there: Parquet's definition levels, worked out once for all members of a struct.
//!
//! Every column of ours is nullable, so the level of a value is the number of structs around it that are there, plus
//! one for the value itself. Columns in lists are not our business.

use arrow::array::{Array, ArrayRef};

use super::hybrid;

/// The definition levels of the rows of a struct, or of the batch itself.
#[derive(Debug, Clone)]
pub struct Levels {
    /// The level of each row; at most `depth`.
    rows: Vec<u8>,
    /// The level of a row where the struct is there.
    depth: u8,
    /// Every row is there.
    is_full: bool,
}

impl Levels {
    /// The levels of a batch's own columns' parent: all rows are there.
    pub fn of_rows(rows: usize) -> Self {
        Levels { rows: vec![0; rows], depth: 0, is_full: true }
    }

    /// The levels of a member; `arrays` are its pieces, in the order of the rows.
    pub fn below(&self, arrays: &[ArrayRef]) -> Self {
        let mut rows = self.rows.clone();
        let depth = self.depth + 1;
        if arrays.iter().all(|array| array.null_count() == 0) {
            rows.iter_mut().filter(|level| **level == self.depth).for_each(|level| *level = depth);
            return Levels { rows, depth, is_full: self.is_full };
        }
        let mut at = 0;
        for array in arrays {
            let piece = &mut rows[at..at + array.len()];
            match array.nulls() {
                None => piece.iter_mut().for_each(|level| *level += u8::from(*level == self.depth)),
                Some(nulls) => {
                    let is_there = nulls.inner().iter();
                    piece.iter_mut().zip(is_there).for_each(|(level, is_there)| {
                        *level += u8::from(is_there & (*level == self.depth));
                    });
                }
            }
            at += array.len();
        }
        Levels { rows, depth, is_full: false }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// How many of the rows are there.
    pub fn count(&self, rows: std::ops::Range<usize>) -> usize {
        if self.is_full { rows.len() } else { self.rows[rows].iter().filter(|level| **level == self.depth).count() }
    }

    /// Appends the levels of some rows as a data page of version 1 begins with them; `max` is the column's own depth.
    pub fn encode(&self, rows: std::ops::Range<usize>, max: u8, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        let width = hybrid::width(u32::from(max));
        if self.is_full {
            hybrid::run(u32::from(self.depth), rows.len(), width, out);
        } else {
            let levels: Vec<u32> = self.rows[rows].iter().map(|level| u32::from(*level)).collect();
            hybrid::encode(&levels, width, out);
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

//! Columns as the numbers of their distinct values, which is how dictionary pages want them.

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Int32Type};
use hashbrown::HashMap;

use super::levels::Levels;

/// A dictionary that is larger does not pay.
const DICTIONARY_BYTES: usize = 1 << 20;

/// A piece of a text column.
pub enum Piece<'a> {
    Plain(&'a StringArray),
    Coded { codes: &'a Int32Array, values: &'a StringArray },
}

impl<'a> Piece<'a> {
    pub fn of(array: &'a ArrayRef) -> Self {
        match array.data_type() {
            DataType::Dictionary(..) => {
                let array = array.as_dictionary::<Int32Type>();
                Piece::Coded { codes: array.keys(), values: array.values().as_string() }
            }
            _ => Piece::Plain(array.as_string()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Piece::Plain(array) => array.len(),
            Piece::Coded { codes, .. } => codes.len(),
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Piece::Plain(array) => array.is_valid(row).then(|| array.value(row)),
            Piece::Coded { codes, values } => codes.is_valid(row).then(|| values.value(codes.value(row) as usize)),
        }
    }
}

/// A column as the numbers of its distinct values, in the order of their first row; nulls are left out.
pub struct Numbered<T> {
    pub values: Vec<T>,
    pub codes: Vec<u32>,
}

impl<T> Numbered<T> {
    /// The distinct values among some rows.
    pub fn used<'c>(&'c self, codes: &'c [u32]) -> impl Iterator<Item = &'c T> {
        let mut is_used = vec![false; self.values.len()];
        codes.iter().for_each(|code| is_used[*code as usize] = true);
        self.values.iter().zip(is_used).filter(|(_, is_used)| *is_used).map(|(value, _)| value)
    }
}

/// The number of a value that no row had yet.
pub const NEW: u32 = u32::MAX;

impl<'a> Numbered<&'a str> {
    /// None when the column is better written as it is: most values are new, or a piece came plain.
    pub fn texts(pieces: &[Piece<'a>], levels: &Levels) -> Option<Self> {
        let is_plain = |piece: &Piece<'_>| matches!(piece, Piece::Plain(array) if array.null_count() < array.len());
        if pieces.iter().any(is_plain) {
            return None;
        }
        let mut numbered = Numbered { values: Vec::new(), codes: Vec::with_capacity(levels.count(0..levels.len())) };
        let mut numbers: HashMap<&'a str, u32> = HashMap::new();
        let mut bytes = 0;
        for piece in pieces {
            let Piece::Coded { codes, values } = piece else { continue };
            // A piece may be a part of what was decoded together: only values that it has count.
            let mut known = vec![NEW; values.len()];
            let mut number = |code: i32| {
                let number = &mut known[code as usize];
                if *number == NEW {
                    let value = values.value(code as usize);
                    *number = *numbers.entry(value).or_insert_with(|| {
                        bytes += value.len() + 4;
                        numbered.values.push(value);
                        (numbered.values.len() - 1) as u32
                    });
                }
                *number
            };
            match codes.null_count() {
                0 => numbered.codes.extend(codes.values().iter().map(|code| number(*code))),
                _ => numbered.codes.extend(codes.iter().flatten().map(number)),
            }
            if bytes > DICTIONARY_BYTES {
                return None;
            }
        }
        let is_worth_it = numbered.values.len() <= 64 || numbered.values.len() * 3 <= numbered.codes.len();
        is_worth_it.then_some(numbered)
    }
}

impl Numbered<i64> {
    /// None when most values are new.
    pub fn longs(all: &[i64]) -> Option<Self> {
        let mut numbered = Numbered { values: Vec::new(), codes: Vec::with_capacity(all.len()) };
        let mut numbers: HashMap<i64, u32> = HashMap::new();
        let mut last = None;
        for &value in all {
            let number = match last {
                Some((same, number)) if same == value => number,
                _ => *numbers.entry(value).or_insert_with(|| {
                    numbered.values.push(value);
                    (numbered.values.len() - 1) as u32
                }),
            };
            last = Some((value, number));
            numbered.codes.push(number);
            if numbered.values.len() > 256 && numbered.values.len() * 2 > numbered.codes.len() {
                return None;
            }
        }
        Some(numbered)
    }
}

//! Numbers with a fraction or an exponent, read again from the line.
//!
//! simd-json computes them as mantissa times a power of ten, which is wrong in the last digit for numbers as plain as
//! 0.3, and gives infinity for 15e308. So when a tape holds a float, all floats are parsed from the line's own text
//! with the standard library, which rounds correctly. The text is also what `_extra` and cut columns keep. Floats are
//! rare in audit logs; a line without any pays one look at each node.

use simd_json::{Node, StaticNode};

use super::reject::{NUMBER_OUT_OF_RANGE, Reject};

/// The largest integer up to which every integer is a double.
const MAX_SAFE: i64 = 1 << 53;

/// A decimal of this many digits or fewer survives the way to a (normal) double and back.
const EXACT_DIGITS: usize = 15;

/// The text of the floats of one line, by their place on the tape.
pub(super) struct Floats<'l>(Vec<(usize, &'l str)>);

impl<'l> Floats<'l> {
    /// Collects the floats of `line` and corrects them on its tape.
    ///
    /// `structurals` are the parser's: the first byte of every token outside of strings, in the order of the tape.
    pub(super) fn correct(line: &'l [u8], structurals: &[u32], nodes: &mut [Node<'_>]) -> Result<Self, Reject> {
        if !nodes.iter().any(|node| matches!(node, Node::Static(StaticNode::F64(_)))) {
            return Ok(Floats(Vec::new()));
        }
        let mut tokens = structurals.iter().filter_map(|&start| token(line, start as usize));
        let mut floats = Vec::new();
        for (at, node) in nodes.iter_mut().enumerate() {
            let Node::Static(number @ (StaticNode::I64(_) | StaticNode::U64(_) | StaticNode::F64(_))) = node else {
                continue;
            };
            let text = tokens.next().ok_or_else(out_of_range)?;
            if let StaticNode::F64(_) = number {
                *number = StaticNode::F64(parse(text).ok_or_else(out_of_range)?);
                floats.push((at, text));
            }
        }
        Ok(Floats(floats))
    }

    /// The number at `at` as it is in the line.
    pub(super) fn text(&self, at: usize) -> Option<&'l str> {
        let found = self.0.binary_search_by_key(&at, |float| float.0).ok()?;
        Some(self.0[found].1)
    }

    /// The integer that the node at `at` is, also when it is spelled `1.0` or `1e3`.
    #[inline]
    pub(super) fn integer(&self, at: usize, node: StaticNode) -> Option<i64> {
        match node {
            StaticNode::I64(value) => Some(value),
            StaticNode::U64(value) => i64::try_from(value).ok(),
            StaticNode::F64(value) => {
                let is_integer = value.fract() == 0.0 && value.abs() < MAX_SAFE as f64;
                (is_integer && self.is_exact(at, value)).then_some(value as i64)
            }
            _ => None,
        }
    }

    /// The double that the node at `at` is, when printing it gives the same number again.
    #[inline]
    pub(super) fn double(&self, at: usize, node: StaticNode) -> Option<f64> {
        match node {
            StaticNode::F64(value) => self.is_exact(at, value).then_some(value),
            StaticNode::I64(value) => (value.unsigned_abs() <= MAX_SAFE as u64).then_some(value as f64),
            StaticNode::U64(value) => (value <= MAX_SAFE as u64).then_some(value as f64),
            _ => None,
        }
    }

    /// Whether the number at `at`, whose double is `value`, is also what that double prints as.
    fn is_exact(&self, at: usize, value: f64) -> bool {
        let Some(text) = self.text(at) else { return false };
        let digits = mantissa(text).filter(u8::is_ascii_digit).count();
        (digits <= EXACT_DIGITS && (value == 0.0 || value.is_normal()))
            || decimal(text) == decimal(&format!("{value:e}"))
    }
}

/// A number as its significant digits and the power of ten of the last one, so that equal numbers are equal. The sign
/// is left out: a double keeps that.
fn decimal(text: &str) -> Option<(Vec<u8>, i64)> {
    let exponent: i64 = match text.split_once(['e', 'E']) {
        Some((_, exponent)) => exponent.parse().ok()?,
        None => 0,
    };
    let mut digits: Vec<u8> = mantissa(text).filter(u8::is_ascii_digit).collect();
    let fraction = mantissa(text).skip_while(|byte| *byte != b'.').skip(1).count();
    let significant = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    let power = exponent - fraction as i64 + (digits.len() - significant) as i64;
    digits.truncate(significant);
    let leading = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.drain(..leading);
    Some(if digits.is_empty() { (digits, 0) } else { (digits, power) })
}

fn out_of_range() -> Reject {
    Reject::new(NUMBER_OUT_OF_RANGE, "a number is too large or too small for a double")
}

/// The number that starts at `start`, if a number does.
fn token(line: &[u8], start: usize) -> Option<&str> {
    let rest = line.get(start..)?;
    if !matches!(rest.first()?, b'-' | b'0'..=b'9') {
        return None;
    }
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    let end = rest.iter().position(|byte| !is_number(byte)).unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).ok()
}

/// The nearest double; none when that is infinite, or zero for a number that is not.
fn parse(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let is_zero = mantissa(text).all(|byte| !matches!(byte, b'1'..=b'9'));
    (value.is_finite() && (value != 0.0 || is_zero)).then_some(value)
}

fn mantissa(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'))
}

//! Smallest and largest values for statistics, cut to a length that footers can bear.

/// Bytes of a text that statistics keep: Parquet writers agree on about this.
const LENGTH: usize = 64;

/// The smallest and largest of some texts; borrowed, so that looking at a value costs a comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct Texts<'a>(Option<(&'a str, &'a str)>);

impl<'a> Texts<'a> {
    #[inline]
    pub fn add(&mut self, text: &'a str) {
        self.0 = Some(match self.0 {
            None => (text, text),
            Some((min, max)) if text < min => (text, max),
            Some((min, max)) if text > max => (min, text),
            Some(same) => same,
        });
    }

    pub fn merge(&mut self, other: Texts<'a>) {
        if let Some((min, max)) = other.0 {
            self.add(min);
            self.add(max);
        }
    }

    /// Both bounds, and whether each is a value that occurs; the upper one is missing when no text is larger.
    pub fn cut(&self) -> Option<(Bound, Option<Bound>)> {
        let (min, max) = self.0?;
        let lower = Bound { bytes: prefix(min).as_bytes().to_vec(), is_exact: min.len() <= LENGTH };
        let upper = if max.len() <= LENGTH {
            Some(Bound { bytes: max.as_bytes().to_vec(), is_exact: true })
        } else {
            next(prefix(max)).map(|bytes| Bound { bytes, is_exact: false })
        };
        Some((lower, upper))
    }
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub bytes: Vec<u8>,
    pub is_exact: bool,
}

fn prefix(text: &str) -> &str {
    &text[..text.floor_char_boundary(LENGTH)]
}

/// The smallest text of the same length or shorter that is above all that begin with `text`.
fn next(text: &str) -> Option<Vec<u8>> {
    for (at, char) in text.char_indices().rev() {
        // The next character must not take more bytes, or the bound would grow; surrogates are no characters.
        let higher = char::from_u32(char as u32 + 1).filter(|higher| higher.len_utf8() == char.len_utf8());
        if let Some(higher) = higher {
            let mut next = text[..at].to_owned();
            next.push(higher);
            return Some(next.into_bytes());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(texts: &[&str]) -> Option<(Bound, Option<Bound>)> {
        let mut bounds = Texts::default();
        texts.iter().for_each(|text| bounds.add(text));
        bounds.cut()
    }

    #[test]
    fn long_texts_are_cut_and_stay_bounds() {
        let exact = |text: &str| Bound { bytes: text.as_bytes().to_vec(), is_exact: true };
        assert_eq!(cut(&["b", "a", "c"]), Some((exact("a"), Some(exact("c")))));
        assert_eq!(cut(&[]), None);
        for long in ["x".repeat(100), "é".repeat(60), format!("{}\u{7f}{}", "a".repeat(63), "b".repeat(9))] {
            let (lower, upper) = cut(&[&long]).unwrap();
            let upper = upper.unwrap();
            assert!(lower.bytes.as_slice() <= long.as_bytes() && lower.bytes.len() <= LENGTH && !lower.is_exact);
            assert!(upper.bytes.as_slice() > long.as_bytes() && upper.bytes.len() <= LENGTH && !upper.is_exact);
            assert!(std::str::from_utf8(&upper.bytes).is_ok());
        }
        assert_eq!(cut(&[&"\u{10ffff}".repeat(20)]).unwrap().1, None, "nothing is larger");
    }
}

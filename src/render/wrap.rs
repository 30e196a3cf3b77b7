//! Text of a given width on a screen: broken into lines, or cut.
//!
//! Widths are columns of the terminal: a Chinese character takes two, an accent that is added to a letter none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns the columns that a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// Breaks the text into lines of at most `room` columns, at blanks where that is possible.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    if width(text) <= room {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    // The blanks before a line are its indentation and stay.
    let indentation = text.len() - text.trim_start_matches(' ').len();
    for (index, word) in text[indentation..].split(' ').enumerate() {
        if index == 0 {
            line.push_str(&text[..indentation.min(room / 2)]);
        } else if width(&line) + 1 + width(word) <= room {
            line.push(' ');
        } else {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while width(&line) + width(rest) > room {
            let (head, tail) = split(rest, room.saturating_sub(width(&line)), line.is_empty());
            line.push_str(head);
            lines.push(std::mem::take(&mut line));
            rest = tail;
        }
        line.push_str(rest);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// Cuts the text to `room` columns; its last character then says so.
pub(super) fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or_default();
        if used + columns + 1 > room {
            break;
        }
        shown.push(c);
        used += columns;
    }
    shown.push('…');
    shown
}

/// Returns the width of the widest piece that should not be broken: an id, an address, a name without blanks.
pub(super) fn widest_word(text: &str) -> usize {
    text.split(' ').map(width).max().unwrap_or_default()
}

/// Splits off as much as fits; on a line of its own at least one character.
fn split(text: &str, room: usize, is_alone: bool) -> (&str, &str) {
    let mut used = 0;
    let fits = |(at, c): &(usize, char)| {
        used += c.width().unwrap_or_default();
        is_alone && *at == 0 || used <= room
    };
    let end = text.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_and_long_words_at_the_edge() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrapped("  \"a\": 1", 40), ["  \"a\": 1"]);
        assert_eq!(wrapped("漢", 1), ["漢"]);
    }

    #[test]
    fn a_cut_says_that_it_is_one() {
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_lost_by_wrapping(text in "[a-c 漢é]{0,30}", room in 2_usize..12) {
            let lines = wrapped(&text, room);
            let squeezed = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(squeezed(&lines.concat()), squeezed(&text));
            proptest::prop_assert!(lines.iter().all(|line| width(line.trim_end()) <= room.max(2)));
        }
    }
}

//! Values as people write and read them: one grammar for every flag, parameter and configuration key.
//!
//! | value | written | never guessed |
//! |---|---|---|
//! | time | `2026-01-05`, `2026-01-05 12:00`, `2026-01-05T12:00:00.5Z`, with an offset `+02` or `+02:00`, else UTC; milliseconds since 1970 (13 digits); where a command has a clock also `7d`, so long ago | `2026-02-30`, `24:00`, `04/24/2026`, seconds since 1970 |
//! | duration | `250ms`, `30s`, `1.5h`, `2d`, `1w`, `1h30m`, `PT15M`, `P1DT12H` | `90`, months and years |
//! | size | `80MiB`, `1.5GB`, plain bytes | `80M` |
//! | count | `12345`, `12,345` | `1,23` |
//! | hash | 64 hexadecimal digits | |
//!
//! The module also helps people to avoid mistakes: it finds the nearest name to one that does not exist, and shows
//! hostile text without obeying it.

mod count;
mod duration;
mod hash;
mod hostile;
#[cfg(test)]
mod mutant;
mod nearest;
mod size;
mod time;

pub use count::{count, parse_count};
pub use duration::{parse_duration, span};
pub use hash::{Hash32, hex, parse_hex};
pub use hostile::{Visible, is_hostile, is_shown, json_escape, visible, visible_char, visible_json, visible_lines};
#[cfg(test)]
pub use mutant::{cases, mutants, worked};
pub use nearest::{likeness, nearest};
pub use size::{bytes, parse_size};
pub use time::{Time, When, parse_time};

//! Tests that any text is split into statements and commands, fast and without loss.

use std::time::Duration;

use proptest::prelude::*;

use super::split::{skip, split_statements};
use crate::typed::{cases, mutants, worked};

fn seeds() -> Vec<String> {
    let seeds = [
        "select 'it''s', \"a\"\"b\", $tag$ ; $tag$ from t -- a; b\n where x = :name; select 1",
        ".mode csv\n\\set a 'b c'\nselect /* one /* two */ */ :'a', :\"a\";\n\\echo :a\n",
        "with a as (select 1) select * from a where b ~ E'\\\\d;' and c::text = 'd'\n\\gx\n\\if :a\nselect 2;\n\\endif\n",
        "\\o |cat\nselect actor.user.uid from event limit 5;\n.once 'a b.csv'\n\\! echo ';'\n",
    ];
    seeds.map(str::to_string).to_vec()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_text_is_split_fast_and_without_loss(text in mutants(seeds())) {
        let begun = worked();
        for statement in split_statements(&text) {
            prop_assert!(text.contains(&statement));
        }
        let mut at = 0;
        while at < text.len() {
            match skip(&text, at) {
                Some((length, _)) => {
                    prop_assert!(length > 0 && text.is_char_boundary(at + length), "{} at {}", length, at);
                    at += length;
                }
                None => at += text[at..].chars().next().map_or(1, char::len_utf8),
            }
        }
        prop_assert!((worked() - begun) < Duration::from_secs(10), "{} bytes took too long", text.len());
    }
}

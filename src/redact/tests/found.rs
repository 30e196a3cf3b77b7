//! Texts that random ones have found.

use super::*;

#[test]
fn what_random_texts_have_found_stays_found() {
    let engine = POLICY.engine.as_ref().unwrap();
    // A delimiter behind an escape, which the prefilter passed over.
    assert!(engine.may_hold_secret("{\"token)\u{7f}\":10000000}", Scope::Text));
    for text in ["tokenC\\=\u{800}0token", "{\"\\nsig\":\"=\u{10000}000a!AA\"}", "%3Dapi key:/\u{a1}\u{10000}#"] {
        assert!(engine.may_hold_secret(text, Scope::Text), "{text}");
    }
    // A heading of two letters.
    for text in ["pw;\n:", "user,pw\nann,Xq7zLm4Rp9w", "pw\tuser\nXq7zLm4Rp9w\tann", "user|pw\r\nann|Xq7zLm4Rp9w"] {
        assert!(engine.may_hold_secret(text, Scope::Text), "{text}");
        assert!(!redact(text).contains("Xq7zLm4Rp9w"), "{text}");
    }
    // Words of which the last bytes that are looked at begin within a character.
    for before in 0..4 {
        let filler = "\u{fffe}".repeat(40);
        for text in [
            format!("{}{filler} password=hunter2x", "a".repeat(before)),
            format!("{}{filler}\";s:8:\"password\";s:7:\"hunter2\"", "a".repeat(before)),
        ] {
            redact(&text);
        }
        let php = format!("s:8:\"{}{filler}\";s:7:\"hunter2\";", "a".repeat(before));
        redact(&php);
    }
}

//! Whatever the bytes are, and wherever chunks end.

use super::*;

/// JSON-like text: random bytes alone would hardly ever get beyond the first bracket.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => proptest::sample::select(vec![
            "{", "}", "[", "]", "\"", ",", ":", "\n", "\\", "{\"a\":1}", "{\"entries\":[", "{\"specversion\":1,\"data\":{",
            "\"events\":", "\"class_uid\":1", "\r\n", " ", "\0\0", "12", "[{", "}]",
        ]).prop_map(|token| token.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ];
    proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_counted_the_same_way(
        bytes in text(), step in 1usize..9, chunk_bytes in 1usize..80, max in 1usize..40, fails in any::<bool>(),
    ) {
        let source = |step, chunk_bytes| {
            let reader = Pieces { bytes: bytes.clone(), at: 0, step, fails };
            Source::from_reader("test", Box::new(reader), None, small(chunk_bytes, max))
        };
        let mut expected = drain(&mut source(usize::MAX, 1 << 20), Some(&bytes));
        let got = drain(&mut source(step, chunk_bytes), Some(&bytes));
        expected.end = got.end;
        prop_assert_eq!(&got, &expected);
        prop_assert!(!fails || got.reason() != "");
    }

    #[test]
    fn damaged_archives_never_panic(at in 0usize..400, value in any::<u8>(), is_gzip in any::<bool>()) {
        let plain = events(20);
        let mut packed = if is_gzip { gzip(&plain) } else { zstd(&plain) };
        let at = at % packed.len();
        packed[at] = value;
        drain(&mut pieces(&packed, 50, small(100, 200)), None);
    }
}

//! Compressed streams: whole, cut, damaged, and too large.

use super::*;

#[test]
fn compressed_streams_of_several_parts() {
    let plain = events(3000);
    let (one, two) = plain.split_at(plain.len() / 3);
    for bytes in [
        [gzip(one), gzip(two)].concat(),
        [gzip(one), gzip(b""), gzip(two), vec![0; 512]].concat(),
        [zstd(one), zstd(two)].concat(),
        [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], &zstd(one), &zstd(b""), &zstd(two)].concat(),
        [bzip2(one), bzip2(b""), bzip2(two)].concat(),
        [xz(one), vec![0; 8], xz(b""), xz(two)].concat(),
    ] {
        for step in [1, 1000, usize::MAX] {
            let all = drain(&mut pieces(&bytes, step, small(10_000, 1000)), Some(&plain));
            assert_eq!((all.lines.len(), all.reason()), (3000, ""));
        }
    }
}

#[test]
fn a_gzip_header_with_every_field() {
    let mut bytes = vec![0x1f, 0x8b, 8, 0b1_1110, 0, 0, 0, 0, 0, 255, 2, 0, 9, 9];
    bytes.extend(b"name\0comment\0cc");
    bytes.extend(&gzip(b"{}\n")[10..]);
    assert_eq!(drain(&mut pieces(&bytes, 1, Options::default()), Some(b"{}\n")).texts(), ["{}"]);
}

#[test]
fn truncated_and_corrupt_streams_keep_the_whole_lines() {
    let plain = events(20_000);
    let packed = [(gzip(&plain), 80_000), (zstd(&plain), 300_000), (bzip2(&plain), 300_000), (xz(&plain), 80_000)];
    for (packed, block) in packed {
        let cut = drain(&mut pieces(&packed[..packed.len() / 2], 5000, Options::default()), Some(&plain));
        assert_eq!(cut.reason(), "truncated");
        let mut flipped = packed.clone();
        let middle = packed.len() / 2;
        flipped[middle..middle + 40].fill(0xff);
        // What is decoded between the damage and its discovery may be wrong, so it is not compared.
        let corrupt = drain(&mut pieces(&flipped, 5000, Options::default()), None);
        assert_eq!(corrupt.reason(), "corrupt");
        assert_eq!(cut.faults().iter().map(|fault| fault.1).collect::<Vec<_>>(), ["truncated"]);
        for all in [cut, corrupt] {
            let kept: usize = all.lines.iter().map(|line| line.2.len() + 1).sum();
            assert!(kept + block > plain.len() / 2, "{kept} of {}", plain.len());
        }
    }
}

#[test]
fn every_cut_of_a_small_gzip_or_zstd_is_incomplete() {
    let plain = events(5);
    for packed in [gzip(&plain), zstd(&plain), bzip2(&plain), xz(&plain)] {
        for length in 6..packed.len() {
            let all = drain(&mut pieces(&packed[..length], 3, Options::default()), Some(&plain));
            assert_eq!(all.reason(), "truncated", "{length}");
        }
        let whole = drain(&mut pieces(&[&packed[..], b"garbage!"].concat(), 3, Options::default()), Some(&plain));
        assert_eq!((whole.lines.len(), whole.faults.len(), whole.reason()), (5, 0, "corrupt"));
    }
    let mut packed = gzip(&plain);
    let check = packed.len() - 8;
    packed[check] ^= 1;
    assert_eq!(read_outcome(&packed), "corrupt");
}

fn read_outcome(bytes: &[u8]) -> String {
    drain(&mut pieces(bytes, usize::MAX, Options::default()), None).reason().to_owned()
}

#[test]
fn a_last_line_that_came_whole_is_a_line_though_garbage_follows() {
    let all = drain(&mut pieces(&[gzip(b"{}\n{}"), b"?".to_vec()].concat(), 1, Options::default()), Some(b"{}\n{}"));
    assert_eq!((all.lines.len(), all.reason()), (2, "corrupt"));
}

#[test]
fn a_reader_that_fails_keeps_the_whole_lines() {
    let reader = Pieces { bytes: b"{}\n{}\n{\"a\"".to_vec(), at: 0, step: 4, fails: true };
    let mut source = Source::from_reader("test", Box::new(reader), None, Options::default());
    let all = drain(&mut source, Some(b"{}\n{}\n{\"a\""));
    assert_eq!((all.lines.len(), all.faults(), all.reason()), (2, vec![(3, "truncated", 4)], "unreadable"));
    assert_eq!(all.end.unwrap().offset, 10);
}

#[test]
fn bombs_stop() {
    let line = [&[b' '; 999][..], b"\n"].concat();
    let plain = line.repeat(1000);
    let steep = Options { max_ratio: 10, ..Options::default() };
    for part in [gzip(&plain), zstd(&plain)] {
        // 100 MB.
        let mut source = pieces(&part.repeat(100), usize::MAX, steep.clone());
        let mut blank = 0;
        while let Some(chunk) = source.next().unwrap() {
            blank += chunk.blank;
        }
        assert!(matches!(source.outcome(), Outcome::Incomplete { reason: "bomb", .. }));
        assert!((67_000..80_000).contains(&blank), "{blank}");

        let limited = Options { max_output: Some(500_000), ..Options::default() };
        let mut source = pieces(&part, usize::MAX, limited);
        while source.next().unwrap().is_some() {}
        assert!(matches!(source.outcome(), Outcome::Incomplete { reason: "bomb", .. }));
    }
    // A frame that asks for a window of 2 GiB.
    assert_eq!(read_outcome(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), "corrupt");
}

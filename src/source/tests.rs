//! Every form, compression and damage, in every chunking.

use std::io::{self, Read, Write};
use std::path::Path;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::pump::Pump;
use super::*;

/// A reader that gives at most `step` bytes a call, and then perhaps an error.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    step: usize,
    fails: bool,
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = (self.bytes.len() - self.at).min(self.step).min(out.len());
        if count == 0 && self.fails {
            return Err(io::Error::other("the disk is gone"));
        }
        out[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn small(chunk_bytes: usize, max_line_bytes: usize) -> Options {
    Options { chunk_bytes, max_line_bytes, ..Options::default() }
}

fn pieces(bytes: &[u8], step: usize, options: Options) -> Source {
    let reader = Pieces { bytes: bytes.to_vec(), at: 0, step, fails: false };
    Source::from_reader("test", Box::new(reader), Some(bytes.len() as u64), options)
}

#[derive(Debug, PartialEq, Eq)]
struct All {
    lines: Vec<(u64, u64, Vec<u8>)>,
    faults: Vec<Fault>,
    blank: u64,
    outcome: Outcome,
    end: Option<Mark>,
}

impl All {
    fn texts(&self) -> Vec<&str> {
        self.lines.iter().map(|(_, _, line)| std::str::from_utf8(line).unwrap()).collect()
    }

    fn faults(&self) -> Vec<(u64, &str, u64)> {
        self.faults.iter().map(|fault| (fault.number, fault.reason, fault.length)).collect()
    }

    fn reason(&self) -> &str {
        match &self.outcome {
            Outcome::Complete => "",
            Outcome::Incomplete { reason, .. } => reason,
        }
    }
}

/// Reads to the end, and checks what must hold of every chunk. `plain` is the decompressed stream.
fn drain(source: &mut Source, plain: Option<&[u8]>) -> All {
    let mut all = All { lines: Vec::new(), faults: Vec::new(), blank: 0, outcome: Outcome::Complete, end: None };
    let first = source.number;
    while let Some(chunk) = source.next().unwrap() {
        assert!(chunk.bytes.capacity() >= chunk.bytes.len() + SPARE_BYTES);
        for line in chunk.lines {
            let bytes = chunk.bytes[line.range].to_vec();
            if let Some(plain) = plain {
                assert_eq!(bytes, plain[line.offset as usize..][..bytes.len()]);
            }
            all.lines.push((line.number, line.offset, bytes));
        }
        for fault in chunk.faults {
            if let Some(plain) = plain {
                let whole = &plain[fault.offset as usize..][..fault.length as usize];
                let digits: String = Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(fault.sha256.as_deref(), Some(&*digits), "{}", fault.reason);
                assert_eq!(fault.head, whole[..whole.len().min(4096)]);
            }
            all.faults.push(fault);
        }
        all.blank += chunk.blank;
        let read = first + (all.lines.len() + all.faults.len()) as u64 + all.blank;
        assert_eq!(chunk.end.number, read);
        if let Some(plain) = plain {
            let hash: [u8; 32] = blake3::hash(&plain[..chunk.end.offset as usize]).into();
            assert_eq!(chunk.end.hash, hash);
        }
        all.end = Some(chunk.end);
    }
    let mut numbers: Vec<u64> = all.lines.iter().map(|line| line.0).collect();
    numbers.extend(all.faults.iter().map(|fault| fault.number));
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(source.next().unwrap().is_none());
    all.outcome = source.outcome();
    all
}

fn read(bytes: &[u8]) -> All {
    drain(&mut pieces(bytes, usize::MAX, Options::default()), Some(bytes))
}

/// The same lines, however the bytes come and wherever chunks end.
fn read_in_all_ways(bytes: &[u8]) -> All {
    let expected = read(bytes);
    for step in [1, 2, 3, 7, usize::MAX] {
        for chunk_bytes in [1, 2, 5, 16, 64] {
            let mut got = drain(&mut pieces(bytes, step, small(chunk_bytes, 16 << 20)), Some(bytes));
            got.end = expected.end;
            assert_eq!(got, expected, "step {step}, chunk {chunk_bytes}");
        }
    }
    expected
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Lines that do not compress to nothing.
fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    // Blocks of a size that damage can fall between.
    let mut options = lzma_rust2::XzOptions::with_preset(1);
    options.set_block_size(std::num::NonZeroU64::new(1 << 20));
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn events(count: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut state = 7u64;
    for number in 0..count {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        writeln!(out, r#"{{"class_uid":3002,"n":{number},"x":"{state:016x}{:016x}"}}"#, state.rotate_left(17)).unwrap();
    }
    out
}

#[test]
fn lines_of_every_ending() {
    let all = read_in_all_ways(b"\xef\xbb\xbf{\"a\":1}\r\n\n  \t\r\n{\"b\":2}\n{\"c\":3}");
    assert_eq!(all.texts(), [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#]);
    assert_eq!(all.lines.iter().map(|line| (line.0, line.1)).collect::<Vec<_>>(), [(1, 3), (4, 18), (5, 26)]);
    assert_eq!((all.blank, all.reason(), all.end.unwrap().offset), (2, "", 33));
}

#[test]
fn nothing_is_complete() {
    for bytes in [&b""[..], b"\xef\xbb\xbf", &gzip(b""), &zstd(b""), &bzip2(b""), &xz(b"")] {
        let mut source = pieces(bytes, 1, Options::default());
        assert!(source.next().unwrap().is_none());
        assert_eq!(source.outcome(), Outcome::Complete);
    }
    assert_eq!(pieces(b"", 1, Options::default()).identity().unwrap().head_len, 0);
}

#[test]
fn a_million_blank_lines() {
    let all = read(&vec![b'\n'; 1_000_000]);
    assert_eq!((all.blank, all.lines.len(), all.reason()), (1_000_000, 0, ""));
}

#[test]
fn blocks_that_a_crash_left_are_faults_and_hide_no_event() {
    let all = read_in_all_ways(b"{\"a\":1}\n\0\0\0\0\n\0\0\0{\"b\":2}\n\0\0");
    assert_eq!(all.texts(), [r#"{"a":1}"#, r#"{"b":2}"#]);
    assert_eq!(all.faults(), [(2, "nul-run", 4), (3, "nul-run", 3), (5, "nul-run", 2)]);
    assert_eq!(all.reason(), "");
}

#[test]
fn long_lines_are_faults_in_every_chunking() {
    let bytes = [&b"{}\n"[..], &[b'x'; 9], b"\r\n", &[b'y'; 8], b"\r\n", &[0; 20], b"{}\n", &[b'z'; 30]].concat();
    let expected = [(2, "line-too-long", 9), (4, "nul-run", 20), (6, "line-too-long", 30)];
    for chunk_bytes in [1, 3, 8, 10, 100] {
        for step in [1, 100] {
            let all = drain(&mut pieces(&bytes, step, small(chunk_bytes, 8)), Some(&bytes));
            assert_eq!(all.texts(), ["{}", "yyyyyyyy", "{}"], "{chunk_bytes}");
            assert_eq!(all.faults(), expected, "{chunk_bytes}");
        }
    }
}

#[test]
fn what_is_not_whole_at_the_end_of_a_file_is_left_until_it_is_or_nothing_more_will_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let pretty = "{\n\"class_uid\": 1\n}\n{\n\"class_uid\"";
    for (text, lines, reason, final_reason) in [
        ("{\"a\":1}\n{\"b\":", 1, "pending", ""),
        ("{\"a\":1}\nnonsense", 1, "pending", ""),
        ("{\"a\":1}\n12", 1, "pending", ""),
        ("{\"a\":1}\n{\"b\":2}", 2, "", ""),
        ("{\"a\":1}\n2026-01-01T00:00:00Z stdout F {\"class_uid\":1}", 2, "", ""),
        ("{\"a\":1}\n  ", 1, "", ""),
        ("{", 0, "pending", "unterminated"),
        (pretty, 1, "pending", "unterminated"),
        ("[{\"a\":1},{\"b\":", 1, "unterminated", "unterminated"),
        ("{\"entries\":[{\"a\":1},{\"b\":", 1, "unterminated", "unterminated"),
    ] {
        std::fs::write(&path, text).unwrap();
        let all = drain(&mut open(&path, 4), Some(text.as_bytes()));
        assert_eq!((all.lines.len(), all.faults.len(), all.reason()), (lines, 0, reason), "{text}");
        assert!(reason.is_empty() || all.end.is_none_or(|end| end.offset < text.len() as u64), "{text}");

        let options = Options { is_final: true, ..small(4, 1 << 20) };
        let mut source = Source::open(&Input::File(path.clone()), options).unwrap();
        let decided = drain(&mut source, Some(text.as_bytes()));
        assert_eq!(decided.end.unwrap().offset, text.len() as u64, "{text}");
        assert_eq!(decided.reason(), final_reason, "{text}");
        // What was decided stays so.
        let mut again = open(&path, 4);
        if matches!(final_reason, "") {
            assert_eq!(again.skip_to(&[decided.end.unwrap()]).unwrap(), decided.end, "{text}");
            assert_eq!((again.next().unwrap().is_none(), again.outcome()), (true, Outcome::Complete), "{text}");
        }
    }
    // Of a compressed file the end is its end, unless it was cut.
    std::fs::write(&path, gzip(b"{}\nnonsense")).unwrap();
    assert_eq!(drain(&mut open(&path, 4), None).texts(), ["{}", "nonsense"]);
    let cut = gzip(&events(3));
    std::fs::write(&path, &cut[..cut.len() - 20]).unwrap();
    let all = drain(&mut open(&path, 1000), None);
    assert_eq!((all.faults.len(), all.reason()), (0, "truncated"));
}

/// Gives `{"a":"xxx...` without end, then another line.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = (out.len() as u64).min(self.0) as usize;
        self.0 -= count as u64;
        out[..count].fill(b'x');
        Ok(count)
    }
}

#[test]
fn a_huge_line_passes_in_constant_memory() {
    let reader = (&b"{\"a\":\""[..]).chain(Endless(64 << 20)).chain(&b"\"}\n{\"b\":2}\n"[..]);
    let mut source = Source::from_reader("huge", Box::new(reader), None, small(256 << 10, 1 << 20));
    let mut largest = 0;
    let mut faults = Vec::new();
    let mut lines = 0;
    while let Some(chunk) = source.next().unwrap() {
        largest = largest.max(chunk.bytes.capacity()).max(source.buffer.capacity());
        lines += chunk.lines.len();
        faults.extend(chunk.faults);
    }
    assert_eq!((lines, faults.len()), (1, 1));
    assert_eq!((faults[0].reason, faults[0].length, faults[0].head.len()), ("line-too-long", (64 << 20) + 8, 4096));
    assert!(largest < 4 << 20, "{largest}");
    assert_eq!(source.outcome(), Outcome::Complete);
}

#[test]
fn arrays() {
    for text in [
        r#"[{"a":"]\"},{"},{"b":[1,{"c":2}]}, 3]"#,
        "[\n  {\"a\":\"]\\\"},{\"},\n{\"b\":[1,{\"c\":2}]}\n, 3 ,\n]\n",
        "[{\"a\":\"]\\\"},{\"}\n,{\"b\":[1,{\"c\":2}]}]\n[3]",
    ] {
        let all = read_in_all_ways(text.as_bytes());
        assert_eq!(all.texts(), [r#"{"a":"]\"},{"}"#, r#"{"b":[1,{"c":2}]}"#, "3"]);
        assert_eq!((all.lines[2].0, all.reason()), (3, ""));
    }
    assert_eq!(read_in_all_ways(b" [ ] ").lines.len(), 0);
    assert_eq!(read_in_all_ways(b"[{} {}\n{}").texts(), ["{}", "{}", "{}"]);
    assert_eq!(read_in_all_ways(b"[{} {}\n{}").reason(), "unterminated");
}

#[test]
fn a_long_element_is_a_fault_and_the_next_one_is_not() {
    let bytes = [&b"[{\"a\":1},{\"a\":[\""[..], &[b'x'; 50], b"\\\"\"]},{\"b\":2}, 12345678901234567890, 7]"].concat();
    for chunk_bytes in [1, 7, 100] {
        for step in [1, 100] {
            let all = drain(&mut pieces(&bytes, step, small(chunk_bytes, 12)), Some(&bytes));
            assert_eq!(all.texts(), [r#"{"a":1}"#, r#"{"b":2}"#, "7"]);
            assert_eq!(all.faults(), [(2, "line-too-long", 62), (4, "line-too-long", 20)]);
        }
    }
}

#[test]
fn what_cannot_be_taken_apart_is_one_fault() {
    for (text, lines, length, reason) in [
        (r#"[{"a":1},{"b":[1},{"c":3}]"#, 1, 17, "unterminated"),
        (r#"[{"a":1},{"b":"#, 1, 5, "unterminated"),
        (r#"[{"a":1}] } {"b":2}"#, 1, 9, "unterminated"),
        (r#"{"entries":[{"a":1},{"b":"#, 1, 5, "unterminated"),
    ] {
        let all = read_in_all_ways(text.as_bytes());
        assert_eq!(
            (all.lines.len(), all.faults(), all.reason()),
            (lines, vec![(2, "syntax", length)], reason),
            "{text}"
        );
        assert_eq!(all.end.unwrap().offset, text.len() as u64, "a verdict is final");
    }
}

#[test]
fn pages_and_bundles() {
    let page =
        r#"{"has_more":true,"entries":[{"a":{"entries":[1]}},{"class_uid":2}],"next_cursor":"]}","x":{"entries":[5]}}"#;
    for text in [
        page.to_owned(),
        page.replace("\"entries\":[{", "\"events\": [\n{").replace("},{", "},\n  {"),
        page.replace("\"entries\":[{", "\"Records\":\n[{"),
        format!("{page}\n"),
    ] {
        let all = read_in_all_ways(text.as_bytes());
        assert_eq!((all.lines.len(), all.texts()[1], all.reason()), (2, r#"{"class_uid":2}"#, ""), "{text}");
    }
    // A page a line: a line that is broken stands for itself.
    let all = read_in_all_ways(format!("{page}\n{{\"entries\":[{{\"c\":3}}\n{{\"d\":4}}\n{page}").as_bytes());
    assert_eq!(all.texts()[2..4], [r#"{"entries":[{"c":3}"#, r#"{"d":4}"#]);
    assert_eq!((all.lines.len(), all.lines[5].0), (6, 6));
    assert_eq!(read_in_all_ways(format!("{page}{page}").as_bytes()).lines.len(), 4);
    assert_eq!(read_in_all_ways(br#"{"entries":[],"has_more":false}"#).lines.len(), 0);
    let event = r#"{"class_uid":3002,"events":[{"a":1}]}"#;
    assert_eq!(read_in_all_ways(event.as_bytes()).texts(), [event]);
}

#[test]
fn a_page_larger_than_chunk_and_line_limit_streams() {
    let body = String::from_utf8(events(20_000)).unwrap();
    let text = format!("{{\"entries\":[{}], \"next_cursor\":null}}", body.trim_end().replace('\n', ","));
    let all = drain(&mut pieces(text.as_bytes(), 4096, small(10_000, 1000)), Some(text.as_bytes()));
    assert_eq!(all.texts(), body.lines().collect::<Vec<_>>());
    assert_eq!(all.reason(), "");
}

#[test]
fn cloud_events_give_their_data() {
    let text = r#"{"specversion":"1.0","data":{"class_uid":1,"data":{}},"id":"}"}"#;
    let data = r#"{"class_uid":1,"data":{}}"#;
    for text in [
        format!("{text}\n{{\"class_uid\":2}}\r\n{text}"),
        format!("[{text},{{\"class_uid\":2}},{text}]"),
        format!("{}{{\"class_uid\":2}}{text}", text.replace("\"id\"", "\n\"id\"")),
    ] {
        assert_eq!(read_in_all_ways(text.as_bytes()).texts(), [data, r#"{"class_uid":2}"#, data], "{text}");
    }
}

#[test]
fn values_over_many_lines() {
    for text in [
        "{\n  \"a\": {\n}\n}\n{\n\"b\": 2 }\n",
        "{ \"a\":\n{} ,\n \"c\":\"\"}{\"b\": 2 }",
        "{\"a\":[\n{}\n]}\n{\n\"b\":2}",
    ] {
        let all = read_in_all_ways(text.as_bytes());
        assert_eq!((all.lines.len(), all.reason()), (2, ""), "{text}");
    }
    assert_eq!(read_in_all_ways(b"{").faults(), [(1, "syntax", 1)]);
    // A first line that was cut off does not make the rest one value.
    for cut in [r#"{"a":{"b":"#, r#"{"a":"b"#, r#"{"a":{"b":1"#, "[2026-01-01] text", "[INFO]", "{}}", "plain"] {
        let all = read_in_all_ways(format!("{cut}\n{{\"b\":2}}\n{{\"c\":3}}\n").as_bytes());
        assert_eq!(all.texts(), [cut, r#"{"b":2}"#, r#"{"c":3}"#]);
    }
}

#[test]
fn events_are_taken_out_of_texts_in_every_chunking() {
    let event = r#"{"class_uid":3002,"message":"a\"\nb"}"#;
    let log = |event: &str| format!(r#"{{"log":{},"stream":"stdout"}}"#, serde_json::to_string(event).unwrap());
    // A greeting first, then events, then other text; and an event as it is.
    let text = [log("hello\n"), log(event), log(&format!("{event}\n")), event.to_string(), log("bye")].join("\n");
    let expected = [log("hello\n"), event.into(), event.into(), event.into(), log("bye")];
    for chunk_bytes in [1, 16, 4096] {
        let mut source = pieces(text.as_bytes(), 3, small(chunk_bytes, 1 << 20));
        let mut found = Vec::new();
        while let Some(chunk) = source.next().unwrap() {
            assert_eq!(blake3::hash(&text.as_bytes()[..chunk.end.offset as usize]).as_bytes(), &chunk.end.hash);
            found.extend(chunk.lines.iter().map(|line| {
                let bytes = chunk.bytes[line.range.clone()].to_vec();
                (line.number, line.offset, String::from_utf8(bytes).unwrap())
            }));
        }
        assert_eq!(found.iter().map(|line| &line.2).collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
        assert!(found.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0 && pair[0].1 < pair[1].1));
    }
}

#[test]
fn foreign_formats_are_refused_and_nothing_of_them_is_a_line() {
    let utf16: Vec<u8> = "{\"a\":1}\n{}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let zip = b"PK\x03\x04\x14\0\0\0\n\n".to_vec();
    for bytes in [utf16, gzip(&zip), zip, gzip(&gzip(b"{}")), b"PAR1\x15\x04".to_vec()] {
        let all = drain(&mut pieces(&bytes, 1, small(4, 16)), None);
        assert_eq!((all.lines.len(), all.faults.len(), all.reason()), (0, 0, "refused"));
    }
}

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

fn open(path: &Path, chunk_bytes: usize) -> Source {
    Source::open(&Input::File(path.to_owned()), small(chunk_bytes, 1 << 20)).unwrap()
}

/// All marks of a file, and its lines.
fn marks(path: &Path, chunk_bytes: usize) -> (Vec<Mark>, Vec<(u64, u64, usize)>) {
    let mut source = open(path, chunk_bytes);
    let (mut marks, mut lines) = (Vec::new(), Vec::new());
    while let Some(chunk) = source.next().unwrap() {
        lines.extend(chunk.lines.iter().map(|line| (line.number, line.offset, line.range.len())));
        marks.push(chunk.end);
    }
    (marks, lines)
}

#[test]
fn a_source_goes_on_right_behind_every_mark() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let body = String::from_utf8(events(300)).unwrap();
    let page = format!("{{\"entries\":[{}],\"has_more\":false}}", body.trim_end().replace('\n', ",\n"));
    let odd = format!("\u{feff}{body}\n\n\0\0\0\n{}\n{}", "y".repeat(3000), body.trim_end());
    for plain in [body.clone(), page, odd] {
        for bytes in [plain.clone().into_bytes(), gzip(plain.as_bytes()), zstd(plain.as_bytes())] {
            std::fs::write(&path, bytes).unwrap();
            let (marks, lines) = marks(&path, 2000);
            assert!(marks.len() > 5);
            for (at, mark) in marks.iter().enumerate() {
                let mut source = open(&path, 1700);
                assert_eq!(source.skip_to(&marks[..=at]).unwrap(), Some(*mark));
                assert_eq!(source.number, mark.number);
                let rest = drain(&mut source, Some(plain.as_bytes()));
                let got: Vec<_> = rest.lines.iter().map(|line| (line.0, line.1, line.2.len())).collect();
                let expected: Vec<_> = lines.iter().filter(|line| line.0 > mark.number).copied().collect();
                assert_eq!(got, expected);
                assert_eq!(rest.reason(), "");
            }
        }
    }
}

#[test]
fn a_file_that_grew_goes_on_and_another_one_starts_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    let plain = events(400);
    let half = plain.len() / 2;
    let half = half + plain[half..].iter().position(|byte| *byte == b'\n').unwrap();
    for cut in [half, half + 1, half + 10, half - 3] {
        std::fs::write(&path, &plain[..cut]).unwrap();
        let (marks, _) = marks(&path, 3000);
        std::fs::write(&path, &plain).unwrap();
        let mut source = open(&path, 3000);
        let at = source.skip_to(&marks).unwrap().unwrap();
        // A line that was cut off within was left.
        assert_eq!(at, marks[marks.len() - 1]);
        let rest = drain(&mut source, Some(&plain));
        assert_eq!(rest.lines[0].0, at.number + 1);
        assert_eq!(rest.end.unwrap().number, 400);
    }

    std::fs::write(&path, &plain).unwrap();
    let (known, _) = marks(&path, 3000);
    // Another file with the same head: as far as they agree, then anew.
    let mut other = plain.clone();
    other[10_000] ^= 1;
    std::fs::write(&path, &other).unwrap();
    let mut source = open(&path, 3000);
    let identity = source.identity().unwrap();
    assert_eq!(identity, open_identity(&plain, directory.path()));
    let at = source.skip_to(&known).unwrap().unwrap();
    assert!(at.offset <= 10_000 && at.offset + 3000 > 10_000);
    assert_eq!(drain(&mut source, Some(&other)).end.unwrap().number, 400);

    other[0] = b' ';
    std::fs::write(&path, &other).unwrap();
    let mut source = open(&path, 3000);
    assert_ne!(source.identity().unwrap(), identity);
    assert_eq!(source.skip_to(&known).unwrap(), None);
    assert_eq!(drain(&mut source, Some(&other)).lines.len(), 400);

    // Shorter than every mark.
    std::fs::write(&path, &plain[..100]).unwrap();
    let mut source = open(&path, 3000);
    assert_eq!(source.skip_to(&known).unwrap(), None);
    assert!(!drain(&mut source, Some(&plain)).lines.is_empty());

    // A reader cannot be read twice.
    let mut source = pieces(&plain, 1000, Options::default());
    assert_eq!(source.skip_to(&known).unwrap(), None);
    assert_eq!(drain(&mut source, Some(&plain)).lines.len(), 400);
}

fn open_identity(plain: &[u8], directory: &Path) -> Identity {
    let path = directory.join("packed");
    std::fs::write(&path, gzip(plain)).unwrap();
    open(&path, 1000).identity().unwrap()
}

#[test]
fn a_truncated_file_that_arrives_whole_later_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.gz");
    let plain = events(2000);
    let packed = gzip(&plain);
    std::fs::write(&path, &packed[..packed.len() * 2 / 3]).unwrap();
    let mut source = open(&path, 20_000);
    let first = drain(&mut source, Some(&plain));
    assert_eq!(first.reason(), "truncated");
    let end = first.end.unwrap();

    std::fs::write(&path, &packed).unwrap();
    let mut source = open(&path, 20_000);
    assert_eq!(source.skip_to(&[end]).unwrap(), Some(end));
    let rest = drain(&mut source, Some(&plain));
    assert_eq!(first.lines.len() + rest.lines.len(), 2000);
}

#[test]
fn every_range_between_two_marks_can_be_read_again() {
    let root = tempfile::tempdir().unwrap();
    let plain = events(40);
    let unended = plain[..plain.len() - 1].to_vec();
    let array = [&b"["[..], &plain, b"]"].concat();
    let forms = [plain.clone(), gzip(&plain), zstd(&plain), unended, array, [b"\xef\xbb\xbf", &plain[..]].concat()];
    for (form, bytes) in forms.iter().enumerate() {
        let path = root.path().join(form.to_string());
        std::fs::write(&path, bytes).unwrap();
        let (marks, lines) = marks(&path, 700);
        assert!(marks.len() > 3);
        let start = Mark { offset: 0, number: 0, hash: [0; 32] };
        let froms: Vec<Mark> = [start].into_iter().chain(marks.iter().copied()).collect();
        for (at, to) in marks.iter().enumerate() {
            // Two ranges that follow one another, from one source; chunks are of another size.
            for from in &froms[..=at] {
                let mut source = open(&path, 500);
                let (mut found, mut first) = (Vec::new(), Vec::new());
                let tell = |chunk: Chunk, found: &mut Vec<(u64, u64, usize)>| {
                    found.extend(chunk.lines.iter().map(|line| (line.number, line.offset, line.range.len())));
                };
                assert!(from.offset == 0 || source.reread(&start, from, |chunk| tell(chunk, &mut first)), "{form}");
                assert!(source.reread(from, to, |chunk| tell(chunk, &mut found)), "{form}");
                first.extend(found);
                let expected: Vec<_> = lines.iter().filter(|line| line.1 < to.offset).copied().collect();
                assert_eq!(first, expected, "{form}");
            }
        }
        // One byte in the middle is another one.
        let (from, to) = (marks[0], marks[marks.len() - 1]);
        let plain = [&plain[..900], b"#", &plain[901..]].concat();
        std::fs::write(&path, &plain).unwrap();
        assert!(!open(&path, 500).reread(&from, &to, |_| {}), "{form}");
    }
}

#[test]
fn a_slow_pipe_gives_its_whole_lines_before_it_ends() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut source = Source::from_reader("pipe", Box::new(Pump::new(reader)), None, Options::default());
    for text in ["{\"a\":1}\n{\"b\":", "2}\n{\"c\":3}\n"] {
        writer.write_all(text.as_bytes()).unwrap();
        let chunk = source.next().unwrap().unwrap();
        assert_eq!(chunk.lines.len(), text.matches('\n').count());
    }
    drop(writer);
    assert!(source.next().unwrap().is_none());
    assert_eq!(source.outcome(), Outcome::Complete);
}

#[test]
fn short_lines_make_small_chunks() {
    let bytes = b"x\n".repeat(100_000);
    for bytes in [bytes.clone(), [b"[{}", &b",1".repeat(99_999)[..], b"]"].concat()] {
        let mut source = pieces(&bytes, usize::MAX, Options::default());
        let (mut lines, mut most) = (0, 0);
        while let Some(chunk) = source.next().unwrap() {
            lines += chunk.lines.len();
            most = most.max(chunk.lines.len());
        }
        assert_eq!((lines, source.outcome()), (100_000, Outcome::Complete));
        assert!(most < 20_000, "{most}");
    }
}

#[test]
fn names_and_sizes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events");
    std::fs::write(&path, "{}\n").unwrap();
    let mut source = open(&path, 10);
    assert_eq!((source.name(), source.size()), (&*path.to_string_lossy(), Some(3)));
    drain(&mut source, Some(b"{}\n"));
    assert_eq!(source.raw_bytes_read(), 3);
    let error = Source::open(&Input::File(directory.path().join("none")), Options::default()).err().unwrap();
    assert!(error.to_string().starts_with("cannot open "), "{error}");
}

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

//! Every form, compression and damage, in every chunking.

use std::io::{self, Read, Write};
use std::path::Path;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::pump::Pump;
use super::*;

mod compressed;
mod files;
mod properties;

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

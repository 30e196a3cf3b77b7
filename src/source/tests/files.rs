//! Files that are read on later: marks, growth, truncation, pipes.

use super::*;

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

//! Formats that are not read, told by their first bytes and refused by name.

/// A format, and what its owner can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Foreign {
    pub name: &'static str,
    pub advice: &'static str,
}

/// First bytes, name, advice.
const FORMATS: [(&[u8], &str, &str); 24] = [
    (b"PK\x03\x04", "a zip file (or a workbook)", UNPACK),
    (b"PK\x05\x06", "an empty zip file", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"LZIP", "an lzip file", UNPACK),
    (b"\x04\x22\x4d\x18", "an lz4 file", UNPACK),
    (b"\xff\x06\0\0sNaPpY", "a framed snappy file", UNPACK),
    (b"\x1f\x9d", "a file of compress (.Z)", UNPACK),
    // Within another compression; on the outside they are read.
    (b"\x1f\x8b\x08", "gzip within another compression", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd within another compression", UNPACK),
    (b"\xfd7zXZ\0", "xz within another compression", UNPACK),
    (b"Obj\x01", "an Avro file", CONVERT),
    (b"ORC\n", "an ORC file", CONVERT),
    (b"ARROW1\0\0", "an Arrow IPC file", CONVERT),
    (b"PARE", "a Parquet file whose footer is encrypted", CONVERT),
    (b"PAR1", "a Parquet file that is piped or compressed", "name the file by itself: its footer is read first"),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"ElfFile\0", "a Windows event log (.evtx)", EXPORT),
    (b"LPKSHHRH", "a journal of systemd", "export it: journalctl --file FILE -o cat"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture", EXPORT),
    (b"\x0a\x0d\x0d\x0a", "a packet capture", EXPORT),
    (b"%PDF-", "a PDF", EXPORT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file", EXPORT),
    (b"\x7fELF", "a program", EXPORT),
];

const UNPACK: &str = "unpack it, and ingest what is in it";
const CONVERT: &str = "convert it to Parquet or to JSON, one event a line";
const EXPORT: &str = "export its events as OCSF JSON, one a line";

const TAR: Foreign = Foreign { name: "a tar archive", advice: UNPACK };
const UTF16: Foreign = Foreign { name: "UTF-16 text", advice: "convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE" };

impl Foreign {
    /// The format of what begins with `bytes`, if it is one of those that are not read.
    pub fn of(bytes: &[u8]) -> Option<Foreign> {
        if is_utf16(bytes) {
            return Some(UTF16);
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return Some(TAR);
        }
        let known = FORMATS.iter().find(|(magic, _, _)| bytes.starts_with(magic));
        known.map(|(_, name, advice)| Foreign { name, advice })
    }
}

fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => true,
        [a, b, c, d, ..] => {
            let zeros = [*a, *b, *c, *d].map(|byte| byte == 0);
            zeros == [false, true, false, true] || zeros == [true, false, true, false]
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        for (magic, name, _) in FORMATS {
            let bytes = [magic, &[7; 600]].concat();
            assert_eq!(Foreign::of(&bytes).unwrap().name, name);
        }
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(Foreign::of(&tar), Some(TAR));
        for utf16 in [&b"\xff\xfe{\0"[..], b"\xfe\xff\0{", b"{\0\"\0", b"\0{\0\""] {
            assert_eq!(Foreign::of(utf16), Some(UTF16));
        }
        for text in [&b"{\"a\":1}"[..], b"[]", b"ORCA,b", b"PARSE", b"", b"\0\0\0\0{}", b"2026-01-01 text"] {
            assert_eq!(Foreign::of(text), None, "{text:?}");
        }
    }
}

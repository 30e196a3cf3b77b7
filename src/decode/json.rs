//! A value of the tape becomes compact JSON text again.

use std::fmt::Write as _;

use simd_json::{Node, StaticNode};

use super::number::Floats;

/// How many nodes the value at `at` takes, itself included.
#[inline]
pub(super) fn span(nodes: &[Node<'_>], at: usize) -> usize {
    match nodes[at] {
        Node::Object { count, .. } | Node::Array { count, .. } => count + 1,
        Node::String(_) | Node::Static(_) => 1,
    }
}

/// The key at `at`; the parser puts nothing but strings there.
#[inline]
pub(super) fn key<'t>(nodes: &[Node<'t>], at: usize) -> &'t str {
    match nodes[at] {
        Node::String(key) => key,
        _ => "",
    }
}

/// Appends the value at `at` and returns the place of the next one. Depth is bounded by the parser's limit.
pub(super) fn write_value(nodes: &[Node<'_>], at: usize, floats: &Floats<'_>, out: &mut String) -> usize {
    let mut next = at + 1;
    match nodes[at] {
        Node::String(text) => write_string(text, out),
        Node::Static(value) => write_scalar(value, at, floats, out),
        Node::Array { len, .. } => {
            out.push('[');
            for element in 0..len {
                if element > 0 {
                    out.push(',');
                }
                next = write_value(nodes, next, floats, out);
            }
            out.push(']');
        }
        Node::Object { len, .. } => {
            out.push('{');
            for member in 0..len {
                if member > 0 {
                    out.push(',');
                }
                write_string(key(nodes, next), out);
                out.push(':');
                next = write_value(nodes, next + 1, floats, out);
            }
            out.push('}');
        }
    }
    next
}

fn write_scalar(value: StaticNode, at: usize, floats: &Floats<'_>, out: &mut String) {
    let written = match value {
        StaticNode::Null => out.write_str("null"),
        StaticNode::Bool(value) => write!(out, "{value}"),
        StaticNode::I64(value) => write!(out, "{value}"),
        StaticNode::U64(value) => write!(out, "{value}"),
        // Every float on a tape is in `floats`; its own text has all its digits.
        StaticNode::F64(value) => match floats.text(at) {
            Some(text) => out.write_str(text),
            None => write!(out, "{value:?}"),
        },
    };
    written.expect("a String takes all text");
}

/// Appends `text` as a JSON string.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    // Nearly no string needs an escape; this loop without an exit runs many bytes at a time.
    if text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
        write_escaped(text, out);
    } else {
        out.push_str(text);
    }
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escaped(text: &str, out: &mut String) {
    let mut clean = 0;
    for (at, byte) in text.bytes().enumerate().filter(|(_, byte)| needs_escape(*byte)) {
        out.push_str(&text[clean..at]);
        clean = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => write!(out, "\\u{byte:04x}").expect("a String takes all text"),
        }
    }
    out.push_str(&text[clean..]);
}

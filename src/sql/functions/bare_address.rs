//! `bare_address(text)`: an address without the port and the brackets that gateways put around it (C8).

use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The address without a port behind it and brackets around it: `[2001:db8::1]:443` is `2001:db8::1`.",
        "bare_address(address)",
    )
    .with_argument("address", "IPv4 or IPv6 address as text")
    .with_sql_example("select bare_address('203.0.113.5:50000')")
    .build();
    let signature = Signature::exact(vec![DataType::Utf8], Volatility::Immutable);
    ScalarUDF::new_from_impl(BareAddress { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct BareAddress {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for BareAddress {
    fn name(&self) -> &str {
        "bare_address"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [texts] = arguments.args.as_slice() else { return exec_err!("bare_address() takes an address") };
        let texts = texts.to_array(arguments.number_rows)?;
        let texts = texts.as_string::<i32>();
        let mut bare = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
        texts.iter().for_each(|text| bare.append_option(text.map(bare_address)));
        Ok(ColumnarValue::Array(Arc::new(bare.finish())))
    }
}

/// Removes brackets and port: `[x]` and `[x]:digits` are `x`; one colon followed by one to five digits is a port.
/// Nothing else is changed.
fn bare_address(text: &str) -> &str {
    let is_port = |text: &str| (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((inside, behind)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return match behind.strip_prefix(':') {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => inside,
            None if behind.is_empty() => inside,
            _ => text,
        };
    }
    match text.split_once(':') {
        Some((address, port)) if is_port(port) => address,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_and_brackets_are_no_part_of_an_address() {
        for (text, bare) in [
            ("203.0.113.5:50000", "203.0.113.5"),
            ("203.0.113.5", "203.0.113.5"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::1", "::1"),
            ("host:", "host:"),
            ("host:123456", "host:123456"),
            ("host:12a", "host:12a"),
            ("[x]y", "[x]y"),
            ("[x", "[x"),
        ] {
            assert_eq!(bare_address(text), bare);
        }
    }
}

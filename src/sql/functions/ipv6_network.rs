//! `ipv6_network(address, 64)`: the network of an IPv6 address, so that privacy addresses of one household count as one.

use std::net::Ipv6Addr;
use std::sync::Arc;

use arrow::array::{Array, AsArray, StringBuilder};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub fn function() -> ScalarUDF {
    let documentation = Documentation::builder(
        Default::default(),
        "The network of an IPv6 address in CIDR notation; any other text is given back as it is.",
        "ipv6_network(address, bits)",
    )
    .with_argument("address", "IPv4 or IPv6 address as text")
    .with_argument("bits", "length of the network's prefix, 0 to 128")
    .with_sql_example("select ipv6_network('2001:db8::a1:1', 64)")
    .build();
    let signature = Signature::exact(vec![DataType::Utf8, DataType::Int64], Volatility::Immutable);
    ScalarUDF::new_from_impl(Ipv6Network { signature, documentation })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ipv6Network {
    signature: Signature,
    documentation: Documentation,
}

impl ScalarUDFImpl for Ipv6Network {
    fn name(&self) -> &str {
        "ipv6_network"
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
        let [addresses, bits] = arguments.args.as_slice() else {
            return exec_err!("ipv6_network() takes an address and a number of bits");
        };
        let addresses = addresses.to_array(arguments.number_rows)?;
        let bits = bits.to_array(arguments.number_rows)?;
        let (addresses, bits) = (addresses.as_string::<i32>(), bits.as_primitive::<Int64Type>());
        let mut networks = StringBuilder::with_capacity(addresses.len(), addresses.value_data().len());
        for (address, bits) in addresses.iter().zip(bits) {
            match (address, bits) {
                (Some(address), Some(bits @ 0..=128)) => networks.append_value(network(address, bits as u32)),
                (Some(_), Some(bits)) => {
                    return exec_err!("ipv6_network(): {bits} is not a number of bits from 0 to 128");
                }
                _ => networks.append_null(),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(networks.finish())))
    }
}

fn network(address: &str, bits: u32) -> String {
    match address.parse::<Ipv6Addr>() {
        Ok(parsed) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv6Addr::from_bits(parsed.to_bits() & mask))
        }
        Err(_) => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ipv6_addresses_become_networks() {
        for (address, bits, expected) in [
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"),
            ("2001:DB8::1", 32, "2001:db8::/32"),
            ("::1", 128, "::1/128"),
            ("::1", 0, "::/0"),
            ("203.0.113.5", 64, "203.0.113.5"),
            ("fe80::1%eth0", 64, "fe80::1%eth0"),
            ("host", 64, "host"),
        ] {
            assert_eq!(network(address, bits), expected);
        }
    }
}

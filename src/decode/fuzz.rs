//! Any line is a row or a reject, and what is a row comes back as JSON.

use std::time::Duration;

use proptest::prelude::*;

use super::tests::decoder;
use super::{Encoder, RowOrigin};
use crate::typed::{cases, mutants, worked};

fn seeds() -> Vec<String> {
    let seeds = [
        r#"{"metadata":{"uid":"e1","version":"1.6.0","product":{"name":"P"}},"class_uid":3002,"category_uid":3,"activity_id":1,"severity_id":1,"time":1767225600000,"status_id":1,"actor":{"user":{"uid":"ann","email_addr":"ann@corp.example"}},"src_endpoint":{"ip":"192.0.2.1"},"auth_factors":[{"factor_type_id":1},{"device":{}}]}"#,
        r#"{"id":"x","class_uid":3005,"time":1767225609000,"privileges":["a",1,null],"device":"a toaster","unmapped":{"a":[1,{"b":null}]},"new":{"deep":[1.5]}}"#,
        r#"{"class_uid":1001,"time":-1,"file":{"name":"\ud83d\ude00\u0000"},"_extra":{"/a":1},"metadata":{"uid":" 7 "}}"#,
    ];
    seeds.map(str::to_string).to_vec()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_line_is_a_row_or_a_reject(text in mutants(seeds())) {
        // A source never gives a line feed within a line.
        let line = text.replace(['\n', '\r'], " ");
        let begun = worked();
        let mut decoder = decoder();
        let is_row = decoder.push(line.as_bytes(), RowOrigin::default()).is_ok();
        let mut rows = 0;
        for events in decoder.flush() {
            let encoder = Encoder::new(&events.class);
            for row in 0..events.batch.num_rows() {
                let mut out = Vec::new();
                encoder.write(&events.batch, row, &mut out).unwrap();
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
                rows += 1;
            }
        }
        prop_assert_eq!(rows, usize::from(is_row));
        prop_assert!((worked() - begun) < Duration::from_secs(10), "{} bytes took too long", line.len());
    }
}

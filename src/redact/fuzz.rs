//! Redaction ends soon, gives text, and is done when it is done, whatever it is given.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::{Counts, Policy, Rules};
use crate::typed::{cases, mutants, worked};

static POLICY: LazyLock<Policy> = LazyLock::new(|| Policy::new(Rules::embedded(), b"key of the lake").unwrap());

/// Put together here, lest a scanner of repositories takes them for real ones.
fn seeds() -> Vec<String> {
    let hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    vec![
        format!("GET https://u:p{hex}@api.example/v1?x=1&Cookie:a&xi-api-key=sk_{hex}{}#frag", &hex[..16]),
        format!("authorization: Bearer {hex}\r\ncookie: allowed ; a={hex}\nx-auth-key: {hex}"),
        format!(
            r#"{{"password1":"hunter2hunter2","list":[{{"name":"token","value":"{hex}"}}],"b64":"cGFzc3dvcmQ9aHVudGVyMg=="}}"#
        ),
        format!("mysql -u root --password {hex} -e 'identified by ''{hex}'''; curl -u a:{hex} https://x"),
        "cookie: allowed authorization: required no secret: nothing here, password is x".to_string(),
        format!("-----BEGIN RSA PRIVATE KEY-----\n{hex}\n-----END RSA PRIVATE KEY----- [REDACTED:x:00000000]{hex}"),
        format!("/reset/{hex}/confirm/how-to-reset-your-password?code={hex}&sid={hex}"),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_text_is_redacted_soon_and_once(text in mutants(seeds())) {
        let begun = worked();
        let once = POLICY.text(&text, &mut Counts::default()).unwrap_or_else(|| text.clone());
        let bytes = POLICY.bytes(text.as_bytes(), &mut Counts::default());
        prop_assert!(String::from_utf8(bytes).is_ok());
        let spent = worked() - begun;
        prop_assert!(spent < Duration::from_secs(10), "{} bytes took {:?}", text.len(), spent);
        prop_assert_eq!(POLICY.text(&once, &mut Counts::default()).unwrap_or_else(|| once.clone()), once);
    }
}

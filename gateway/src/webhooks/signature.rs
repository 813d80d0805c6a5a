//! Signed messages in the form of the Standard Webhooks specification: three headers, HMAC-SHA256 over id, time and body.
//!
//! A receiver checks the signature with the secret it was given, and refuses times far from its own clock: a message that was
//! recorded cannot be sent again later.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::Timestamp;

use crate::control::balance_alert::SECRET_PREFIX;
use crate::control::secrets::Secret;

pub const ID_HEADER: &str = "webhook-id";
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// What `webhook-signature` says of a message; `None` where the secret is none.
pub fn signature(secret: &Secret, id: &str, at: Timestamp, body: &str) -> Option<String> {
    let key = STANDARD.decode(secret.expose().strip_prefix(SECRET_PREFIX)?).ok()?;
    let signed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), format!("{id}.{}.{body}", at.unix_seconds()).as_bytes());
    Some(format!("v1,{}", STANDARD.encode(signed)))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn it_signs_as_the_specification_s_libraries_do() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", Timestamp::from_micros(1_614_265_330_000_000), r#"{"test": 2432232314}"#);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_signs_nothing() {
        assert_eq!(signature(&Secret::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "m", Timestamp::default(), ""), None);
        assert_eq!(signature(&Secret::new("whsec_*"), "m", Timestamp::default(), ""), None);
    }
}

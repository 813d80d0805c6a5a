//! Headers that keep browsers from doing with our answers what nobody means them to. An answer's own come first.

use http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

/// A year, and this host only: what else is below its name is not ours to decide.
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000");
/// An answer that is no page and has no policy of its own is data: it loads nothing and is shown nowhere.
const DATA_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
/// What a page may ask of the machine. Nothing here needs any of it.
const MACHINE: HeaderValue = HeaderValue::from_static(
    "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), \
     midi=(), payment=(), usb=(), serial=(), hid=()",
);

/// What every answer has.
#[derive(Debug, Clone)]
pub struct SecurityHeaders {
    all: Vec<(HeaderName, HeaderValue)>,
    /// How many of them, from the first on, concern what is no page.
    of_data: usize,
}

impl SecurityHeaders {
    /// Where browsers come by https, they never come otherwise again.
    pub fn new(public_url: &str) -> Self {
        let mut all = vec![(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")), (CONTENT_SECURITY_POLICY, DATA_POLICY)];
        if public_url.starts_with("https://") {
            all.push((STRICT_TRANSPORT_SECURITY, HTTPS_ONLY));
        }
        let of_data = all.len();
        all.extend([
            (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            // A page that opened ours, or that ours opens, cannot reach into it.
            (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
            (HeaderName::from_static("permissions-policy"), MACHINE),
        ]);
        Self { all, of_data }
    }

    pub fn add_to<B>(&self, response: Response<B>) -> Response<B> {
        add(&self.all, response)
    }

    /// Of an answer that is data wherever it is opened: what binds pages only would be sent with every completion for nothing.
    pub fn add_to_data<B>(&self, response: Response<B>) -> Response<B> {
        add(&self.all[..self.of_data], response)
    }
}

fn add<B>(headers: &[(HeaderName, HeaderValue)], mut response: Response<B>) -> Response<B> {
    for (name, value) in headers {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

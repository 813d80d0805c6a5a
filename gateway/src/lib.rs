//! Everything about requests: HTTP dialects, admission, routing, channels, providers, metering; accounts
//! and keys. Start at [`http`]; a request's way is `http` → [`access`] → [`routing`] → [`admission`] →
//! [`providers`] → [`metering`] → [`settlement`], driven by [`relay`]. [`control`] holds what
//! administrators change; [`signin`] and [`dashboard`] are the web app's side.

pub mod access;
pub mod admission;
pub mod app;
pub mod checks;
pub mod control;
pub mod dashboard;
pub mod http;
pub mod metering;
pub mod metrics;
pub mod options;
pub mod providers;
pub mod relay;
pub mod routing;
pub mod settlement;
pub mod signin;
pub mod webhooks;
pub mod wire;

//! People in browsers: signing in, sessions, what each may see and do.

mod accounts;
mod administration;
mod app_codes;
pub mod browser;
mod live;
mod matrix;
mod providers;
mod sessions;
mod statistics;

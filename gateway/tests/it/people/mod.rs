//! People in browsers: signing in, sessions, what each may see and do.

mod accounts;
mod administration;
pub mod browser;
mod matrix;
mod providers;
mod sessions;
mod statistics;

//! How far a long job is, on standard error, where that is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::local_api::job::Progress;

const KNOWN: &str = "{prefix:>20} [{bar:30}] {human_pos}/{human_len}  {per_sec}  {eta} left";
const UNKNOWN: &str = "{prefix:>20} {spinner} {human_pos}  {per_sec}";
const REDRAW: Duration = Duration::from_millis(120);

/// One bar, made anew for every stage. indicatif draws nothing where standard error is no terminal.
#[derive(Debug, Default)]
pub struct Bar(Option<ProgressBar>);

impl Bar {
    pub fn show(&mut self, news: &Progress) {
        if self.0.as_ref().is_none_or(|bar| bar.prefix() != news.stage) {
            self.clear();
            let bar = news.total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
            let template = if news.total.is_some() { KNOWN } else { UNKNOWN };
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            bar.set_prefix(news.stage.clone());
            bar.enable_steady_tick(REDRAW);
            self.0 = Some(bar);
        }
        if let Some(bar) = &self.0 {
            if let Some(total) = news.total {
                bar.set_length(total);
            }
            bar.set_position(news.done);
        }
    }

    pub fn clear(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

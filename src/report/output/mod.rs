//! Output for people: pages and their charts, Markdown, workbooks.

pub(super) mod chart;
pub(super) mod markdown;
pub(super) mod page;
pub(super) mod workbook;

//! Reading and writing of records, through the public interface.

mod broken;
mod features;
mod files;
mod python;
mod requests;
mod round_trip;
mod support;

//! An upload in parts, which Delta's kernel may choose for a checkpoint.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::layout::Access;
use super::whole::{blocking, write};

/// A multipart upload, kept in memory until it is complete: only Delta's checkpoints could take this way.
#[derive(Debug)]
pub struct Upload {
    pub root: Arc<PathBuf>,
    pub access: Access,
    pub name: String,
    pub place: PathBuf,
    pub parts: Vec<PutPayload>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.parts.push(data);
        Box::pin(std::future::ready(Ok(())))
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let payload = self.parts.drain(..).flatten().collect::<PutPayload>();
        let (root, access) = (self.root.clone(), self.access);
        let (name, place) = (self.name.clone(), self.place.clone());
        blocking(move || write((&root, access), &name, &place, &payload, false)).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        self.parts.clear();
        Ok(())
    }
}

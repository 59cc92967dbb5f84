"""The bytes of planned media, read for a shard."""

from __future__ import annotations

from pathlib import Path

from mm2energon import images
from mm2energon.errors import MediaError
from mm2energon.images import ImageFacts
from mm2energon.pipeline.planned import PlannedMedia, PlannedPicture, passes
from mm2energon.roots import PlainFiles, media_file
from mm2energon.shards.records import Media
from mm2energon.video.pack import PackReader


def _looks_whole(data: bytes) -> bool:
    """Whether bytes that go into a shard begin as a picture does, and a JPEG ends as one."""
    if data.startswith(b"\xff\xd8"):
        return data.endswith(b"\xff\xd9") or b"\xff\xd9" in data  # some writers leave megabytes behind it
    return data.startswith((b"\x89PNG\r\n\x1a\n", b"RIFF"))


class MediaReader:
    """Reads the bytes of planned media below one dataset root."""

    def __init__(
        self, root: Path, *, min_side: int, pai_seconds: bool, packs: Path | None = None, further: tuple[Path, ...] = ()
    ) -> None:
        """
        Args:
            min_side: pixels to which the smaller side of a picture is brought when it is below.
            pai_seconds: 1 / fps for `second_per_grid_ts`, as Pai's converter writes it, instead of 2 / fps.
            packs: folder of the frames that have no files of their own.
            further: as for `MediaFinder`.
        """
        self._root = root
        self._further = further
        self._packs = None if packs is None else PackReader(packs)
        self._files = PlainFiles(root)
        self._min_side = min_side
        self._seconds = 1 if pai_seconds else 2

    def read(self, planned: PlannedMedia, *, origin: str) -> Media:
        """The bytes of a sample's media.

        Raises:
            MediaError: a file is gone, has changed, or cannot be decoded.
        """
        return Media(
            images=[self._picture(picture, origin) for picture in planned.images],
            videos=[[self._picture(frame, origin) for frame in video.frames] for video in planned.videos],
            audios=[self._audio(path, origin) for path, _ in planned.audios],
            second_per_grid_ts=[self._seconds / video.fps for video in planned.videos],
        )

    def _picture(self, picture: PlannedPicture, origin: str) -> bytes:
        as_is = passes(picture, self._min_side)
        packed = None if self._packs is None else self._packs.read(picture.path)
        if packed is not None and len(packed) == picture.file_bytes:
            facts, path = ImageFacts(*picture[1:]), self._root / picture.path
            return images.read_bytes(path, facts=facts, origin=origin, min_side=self._min_side, data=packed)
        data = self._files.read(picture.path, picture.file_bytes) if as_is else None
        if data is None:
            data = self._any_picture(picture, origin, as_is=as_is)
        if not _looks_whole(data):  # of frames of ours the plan has looked at nothing but the size
            raise MediaError(
                f"{origin}: {picture.path!r} is empty, damaged or cut off; a whole picture was expected; "
                "replace it, or of a frame remove the folder and extract it anew with mm2energon frames",
                "unreadable-image",
            )
        return data

    def _any_picture(self, picture: PlannedPicture, origin: str, *, as_is: bool) -> bytes:
        """A picture that is stored anew, or that is not there as it was planned."""
        path = media_file(self._root, picture.path, origin=origin, further=self._further)
        data = images.read_bytes(path, facts=ImageFacts(*picture[1:]), origin=origin, min_side=self._min_side)
        if as_is and len(data) != picture.file_bytes:
            raise MediaError(
                f"{origin}: {picture.path!r} has changed since the plan was made; run the command again",
                "missing-media",
            )
        return data

    def _audio(self, path: str, origin: str) -> bytes:
        file = media_file(self._root, path, origin=origin, further=self._further)
        try:
            return file.read_bytes()
        except PermissionError as error:
            raise MediaError(
                f"{origin}: {file.name} may not be read ({error.strerror}); change its mode or its owner",
                "no-permission",
            ) from error

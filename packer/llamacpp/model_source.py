"""Which file a server loads when its command line names it in several ways.

Source: llama.cpp b11434, common/arg.cpp, common_models_handler_apply().
"""

from dataclasses import dataclass


@dataclass
class ModelSource:
    """The ways one model was named; empty where it was not."""

    path: str = ""
    url: str = ""
    repository: str = ""
    repository_file: str = ""
    docker: str = ""

    @property
    def reference(self) -> str:
        """Path, URL or ``hf://repository[/file]`` that decides; empty if no model was named.

        A repository wins over an image, an image over a URL, a URL over a path (which then only
        says where the download goes).
        """
        if self.repository:
            file = f"/{self.repository_file}" if self.repository_file else ""
            return f"hf://{self.repository}{file}"
        if self.docker:
            return f"docker://{self.docker}"
        return self.url or self.path

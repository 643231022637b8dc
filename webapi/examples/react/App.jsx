import { useState } from "react";
import { createRoot } from "react-dom/client";

// Served by the app itself; a bundler leaves the addresses as they are (esbuild: --external:/api/components/*).
import "/api/components/update-banner.js";
import "/api/components/version-settings.js";

function App() {
  const [dismissed, setDismissed] = useState("");
  return (
    <>
      <update-banner command="./upgrade.sh" onupdate-dismissed={(event) => setDismissed(event.detail.version)} />
      <main>
        <h1>Settings</h1>
        <version-settings />
        <p>{dismissed && `You will hear of the version after ${dismissed}.`}</p>
      </main>
    </>
  );
}

createRoot(document.getElementById("root")).render(<App />);

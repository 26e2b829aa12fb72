// Run @vladmandic/face-api on photos that are tight faces, with the WASM backend (its fastest
// documented way without a native build).
//
//   node face_api.js LIST SHARE OUT.csv
//
// LIST has a path a line; SHARE is cut off each side of a photo before it is judged (below 0: laid
// around it), `aligned` aligns it by its own landmarks, and `predict` lets its own detector look. Prints the milliseconds a photo, decoding included.
const fs = require('fs');
const path = require('path');
const jpeg = require('jpeg-js');
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

function pixels(file, share) {
  const image = jpeg.decode(fs.readFileSync(file), { useTArray: true, formatAsRGBA: false });
  const whole = tf.tensor3d(image.data, [image.height, image.width, 3], 'int32');
  if (share === 'predict' || share === 'aligned' || Number(share) === 0) return whole;
  const cut = Math.round(Number(share) * image.width);
  if (cut < 0) {
    const wide = tf.mirrorPad(whole, [[-cut, -cut], [-cut, -cut], [0, 0]], 'reflect');
    whole.dispose();
    return wide;
  }
  const part = tf.slice(whole, [cut, cut, 0], [image.height - 2 * cut, image.width - 2 * cut, 3]);
  whole.dispose();
  return part;
}

async function answer(file, share) {
  const tensor = pixels(file, share);
  let found;
  if (share === 'predict') {
    const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.1, maxResults: 10 });
    found = (await faceapi.detectAllFaces(tensor, options).withAgeAndGender())[0];
  } else if (share === 'aligned') {
    const landmarks = await faceapi.nets.faceLandmark68Net.detectLandmarks(tensor);
    const box = landmarks.align(null, { useDlibAlignment: false, minBoxPadding: 0.2 });
    const faces = await faceapi.extractFaceTensors(tensor, [box]);
    found = await faceapi.nets.ageGenderNet.predictAgeAndGender(faces[0]);
    faces.forEach((face) => face.dispose());
  } else {
    found = await faceapi.nets.ageGenderNet.predictAgeAndGender(tensor);
  }
  tensor.dispose();
  if (!found) return '';
  return found.gender === 'male' ? found.genderProbability : 1 - found.genderProbability;
}

async function main() {
  const [list, share, out] = process.argv.slice(2);
  const files = fs.readFileSync(list, 'utf8').split('\n').filter(Boolean);
  const models = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
  const folder = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  wasm.setWasmPaths(path.join(folder, 'dist') + path.sep);
  await tf.setBackend('wasm');
  await tf.ready();
  if (share === 'predict') await faceapi.nets.ssdMobilenetv1.loadFromDisk(models);
  if (share === 'aligned') await faceapi.nets.faceLandmark68Net.loadFromDisk(models);
  await faceapi.nets.ageGenderNet.loadFromDisk(models);
  await answer(files[0], share);
  const began = performance.now();
  const rows = ['path,p_male'];
  for (const file of files) rows.push(`${file},${await answer(file, share)}`);
  console.log((performance.now() - began) / files.length);
  fs.writeFileSync(out, rows.join('\n') + '\n');
}

main();

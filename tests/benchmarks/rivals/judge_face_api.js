// Run @vladmandic/face-api on photos that are tight faces, with the WASM backend (its fastest
// documented way without a native build).
//
//   node judge_face_api.js LIST CROP OUT.csv
//
// LIST has a path a line. CROP is one of
//   photo:S      the photo without a share S of each side (below 0: with a mirrored border)
//   landmarks:S  aligned by its own landmarks, with a padding of S
//   dlib         aligned by its own landmarks as dlib does
//   detect:S     its own detector, on the photo with a mirrored border of S; the photo itself
//                where that finds none
// Prints the milliseconds a photo, decoding included, and writes path,p_male.
const fs = require('fs');
const path = require('path');
const jpeg = require('jpeg-js');
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');

const { ssdMobilenetv1, faceLandmark68Net, ageGenderNet } = faceapi.nets;

function pixels(file, cut) {
  const image = jpeg.decode(fs.readFileSync(file), { useTArray: true, formatAsRGBA: false });
  const whole = tf.tensor3d(image.data, [image.height, image.width, 3], 'int32');
  const side = Math.round(cut * image.width);
  if (side === 0) return whole;
  const size = [image.height - 2 * side, image.width - 2 * side, 3];
  const made = side > 0
    ? tf.slice(whole, [side, side, 0], size)
    : tf.mirrorPad(whole, [[-side, -side], [-side, -side], [0, 0]], 'reflect');
  whole.dispose();
  return made;
}

async function judgeBox(tensor, box) {
  const faces = await faceapi.extractFaceTensors(tensor, [box]);
  const found = await ageGenderNet.predictAgeAndGender(faces[0]);
  faces.forEach((face) => face.dispose());
  return found;
}

async function detected(tensor) {
  const options = new faceapi.SsdMobilenetv1Options({ minConfidence: 0.1, maxResults: 10 });
  const found = await faceapi.detectSingleFace(tensor, options).withAgeAndGender();
  return found || ageGenderNet.predictAgeAndGender(tensor);
}

async function answer(file, kind, share) {
  const cut = { photo: share, detect: -share }[kind] || 0;
  const tensor = pixels(file, cut);
  let found;
  if (kind === 'photo') {
    found = await ageGenderNet.predictAgeAndGender(tensor);
  } else if (kind === 'detect') {
    found = await detected(tensor);
  } else {
    const landmarks = await faceLandmark68Net.detectLandmarks(tensor);
    const how = { useDlibAlignment: kind === 'dlib', minBoxPadding: share };
    found = await judgeBox(tensor, landmarks.align(null, how));
  }
  tensor.dispose();
  return found.gender === 'male' ? found.genderProbability : 1 - found.genderProbability;
}

async function main() {
  const [list, crop, out] = process.argv.slice(2);
  const [kind, share] = [crop.split(':')[0], Number(crop.split(':')[1] || 0)];
  const files = fs.readFileSync(list, 'utf8').split('\n').filter(Boolean);
  const models = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');
  const folder = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  wasm.setWasmPaths(path.join(folder, 'dist') + path.sep);
  await tf.setBackend('wasm');
  await tf.ready();
  if (kind === 'detect') await ssdMobilenetv1.loadFromDisk(models);
  if (kind === 'landmarks' || kind === 'dlib') await faceLandmark68Net.loadFromDisk(models);
  await ageGenderNet.loadFromDisk(models);
  await answer(files[0], kind, share);
  const began = performance.now();
  const rows = ['path,p_male'];
  for (const file of files) rows.push(`${file},${await answer(file, kind, share)}`);
  console.log((performance.now() - began) / files.length);
  fs.writeFileSync(out, rows.join('\n') + '\n');
}

main();
